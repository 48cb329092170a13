import { z } from 'zod';
import { RoleArnSchema } from './arn.js';
import type { AwsConfig } from './config.schema.js';

/** Input of revocation: the role whose policy denies the session, the session's name, and the IAM of the role. */
export const AwsHandleSchema = z.strictObject({
  roleArn: RoleArnSchema,
  /** the lease id: `RoleSessionName`, and so the end of `aws:userid` */
  sessionName: z.string().regex(/^[\w+=,.@-]{2,64}$/),
  /** `iam`, or the origin of the endpoint that replaces it */
  iam: z.string().min(1).max(512),
});
export type AwsHandle = z.infer<typeof AwsHandleSchema>;

const SEPARATOR = ' at ';

/** Returns the IAM that the connection calls. */
export function iamOf(config: Pick<AwsConfig, 'endpoints'>): string {
  return config.endpoints.iam === undefined ? 'iam' : new URL(config.endpoints.iam).origin;
}

/** Returns the name of a revocation point: one role at one IAM, with one deny policy. */
export function revocationPointName({ roleArn, iam }: Pick<AwsHandle, 'roleArn' | 'iam'>): string {
  return `${roleArn}${SEPARATOR}${iam}`;
}

/** Returns the parts of a name that `revocationPointName` returned. */
export function readRevocationPoint(point: string): Pick<AwsHandle, 'roleArn' | 'iam'> {
  const at = point.indexOf(SEPARATOR);
  return { roleArn: point.slice(0, at), iam: point.slice(at + SEPARATOR.length) };
}
