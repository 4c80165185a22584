/** Modules of Node where there is Node: a browser has none, and nothing is imported. @module */

interface NodeProcess {
  readonly getBuiltinModule?: (id: string) => unknown
}

/** A module of Node by its full name; `undefined` elsewhere. */
export function builtinModule(id: `node:${string}`): unknown {
  const { process } = globalThis as { readonly process?: NodeProcess }
  try {
    return process?.getBuiltinModule?.(id)
  } catch {
    return undefined
  }
}
