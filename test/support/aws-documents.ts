import type { JsonObject } from '@mayfly/kernel';
import type { AwsTarget } from '../contract/aws-target.js';
import { agentDocument, connectionDocument, templateDocument } from './declared.js';

/** Returns the variables that the connection's secret references name. */
export function awsEnvironment({ aws }: AwsTarget): Record<string, string> {
  return { CRM_ACCESS_KEY_ID: aws.accessKeyId, CRM_SECRET_ACCESS_KEY: aws.secretAccessKey };
}

/** Builds a connection to the AWS account of the test; `revocation` overrides its members. */
export function awsConnection({ aws }: AwsTarget, revocation: JsonObject = {}): JsonObject {
  return connectionDocument('aws-crm', {
    provider: 'aws-sts',
    owner: 'cloud-platform',
    config: {
      region: 'eu-central-1',
      auth: { method: 'static', accessKeyId: 'env:CRM_ACCESS_KEY_ID', secretAccessKey: 'env:CRM_SECRET_ACCESS_KEY' },
      endpoints: { sts: aws.endpoint, iam: aws.endpoint },
      revocation: { mode: 'role-policy', propagationSeconds: 1, ...revocation },
      maxSessionSeconds: 3600,
    },
  });
}

/** Builds a template that reads and writes below `reports/` in the target's bucket, through this role. */
export function exportTemplate(target: AwsTarget, roleArn: string, spec: JsonObject = {}): JsonObject {
  const Resource = `arn:aws:s3:::${target.bucket}/reports/*`;
  const statement = { Effect: 'Allow', Action: ['s3:GetObject', 's3:PutObject'], Resource };
  const scope = { roleArn, policy: { Version: '2012-10-17', Statement: [statement] } };
  return templateDocument('support-export-bucket', {
    lifetime: { defaultSeconds: 600, maxSeconds: 1800 },
    credentials: [{ name: 'bucket', provider: 'aws-sts', connection: 'aws-crm', scope }],
    ...spec,
  });
}

export const EXPORT_AGENT = agentDocument('support-agent');

/** Body of a request for one session. */
export const EXPORT_REQUEST = { template: 'support-export-bucket', parameters: {}, purpose: 'export the reports' };
