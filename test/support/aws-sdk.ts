/** What stands for `@aws-sdk/client-kms` in examples: its client, at the server that AWS_ENDPOINT_URL_KMS names. @module */

import type { AwsKmsClient } from 'guise/kms'
import { awsKmsClient } from './aws-kms-server.ts'

/** As the SDK's of that name, which takes the address from the same variable. */
export class KMS implements AwsKmsClient {
  readonly createKey: AwsKmsClient['createKey']
  readonly createAlias: AwsKmsClient['createAlias']
  readonly describeKey: AwsKmsClient['describeKey']
  readonly encrypt: AwsKmsClient['encrypt']
  readonly decrypt: AwsKmsClient['decrypt']
  readonly scheduleKeyDeletion: AwsKmsClient['scheduleKeyDeletion']

  readonly config: { readonly region: string; readonly maxAttempts?: number }

  constructor(config: { readonly region: string; readonly maxAttempts?: number }) {
    this.config = config
    const client = awsKmsClient(process.env['AWS_ENDPOINT_URL_KMS'] ?? '')
    this.createKey = client.createKey
    this.createAlias = client.createAlias
    this.describeKey = client.describeKey
    this.encrypt = client.encrypt
    this.decrypt = client.decrypt
    this.scheduleKeyDeletion = client.scheduleKeyDeletion
  }
}
