export { AwsStsProvider, type AwsStsParts } from './aws-sts.provider.js';
export type { AwsConfig } from './config.schema.js';
export type { AwsHandle } from './handle.schema.js';
export type { AwsScope } from './scope.schema.js';
export { AWS_REDACTION } from './secret-texts.js';
