/** Where the samples of a request came from, and what the log is told of it (SPEC §14.2, §20.8). @module */

/** Of several samples: what holds for all of them. */
export interface Provenance {
  /** Every sample came in an attested capture. */
  readonly attested: boolean
  /** And every capture's liveness claim was accepted by its policy. */
  readonly live: boolean
  /** Similarity in ten-thousandths from which a match needs a second factor: the least of the captures'. */
  readonly tripwire: number | undefined
  /** Of a single attested capture: which device saw what, and when; equal for two statements about one image. */
  readonly moment: string | undefined
}

/** What an answer rested on beside its samples. */
export interface Factor {
  /** The tripwire was met. */
  readonly tripped?: boolean
  /** The caller asserted a second factor. */
  readonly factor?: boolean
}

/** The policy that a log entry names, with a letter for each thing that was shown. */
export function policyText(
  id: string | undefined,
  { attested, live }: Provenance,
  { tripped = false, factor = false }: Factor = {},
): { readonly policy?: string } {
  const marks = [attested && 'c', live && 'l', tripped && 't', factor && 'f'].filter(Boolean).join('')
  const policy = `${id ?? ''}${marks === '' ? '' : `+${marks}`}`
  return policy === '' ? {} : { policy }
}
