/** Keys in a key management service, through the caller's client: AWS KMS, and transit of Vault or OpenBao. Imports no SDK. @module */

export {
  type AwsCallOptions,
  type AwsKeyMetadata,
  type AwsKmsClient,
  type AwsKmsKeyOptions,
  type AwsKmsKeyProvider,
  awsKmsKeyProvider,
} from './keys/aws-kms.ts'
export {
  type TransitFetch,
  type TransitKeyOptions,
  type TransitKeyProvider,
  transitKeyProvider,
} from './keys/transit.ts'
