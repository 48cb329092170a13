import { z } from 'zod';
import { RoleArnSchema } from './arn.js';
import type { AwsConfig } from './config.schema.js';

/** What revocation needs: the role whose policy denies, the name by which it denies, and where the role is. */
export const AwsHandleSchema = z.strictObject({
  roleArn: RoleArnSchema,
  /** the lease id: `RoleSessionName`, and so the end of `aws:userid` */
  sessionName: z.string().regex(/^[\w+=,.@-]{2,64}$/),
  /** `iam`, or the address of the endpoint that stands in for it */
  iam: z.string().min(1).max(512),
});
export type AwsHandle = z.infer<typeof AwsHandleSchema>;

const SEPARATOR = ' at ';

/** Where the connection's calls to IAM go. */
export function iamOf(config: Pick<AwsConfig, 'endpoints'>): string {
  return config.endpoints.iam === undefined ? 'iam' : new URL(config.endpoints.iam).origin;
}

/** One role at one IAM: the place of one document of denials. */
export function revocationPointName({ roleArn, iam }: Pick<AwsHandle, 'roleArn' | 'iam'>): string {
  return `${roleArn}${SEPARATOR}${iam}`;
}

/** The parts of a name that `revocationPointName` gave. */
export function readRevocationPoint(point: string): Pick<AwsHandle, 'roleArn' | 'iam'> {
  const at = point.indexOf(SEPARATOR);
  return { roleArn: point.slice(0, at), iam: point.slice(at + SEPARATOR.length) };
}
