import { z } from 'zod';

/** The partitions of AWS, which are isolated from each other. */
const PARTITION = 'aws(?:-cn|-us-gov|-iso(?:-[a-z])?|-eusc)?';
const ROLE = new RegExp(`^arn:(${PARTITION}):iam::(\\d{12})?:role/((?:[\\w+=,.@-]+/)*)([\\w+=,.@-]{1,64})$`);
const POLICY = new RegExp(`^arn:${PARTITION}:iam::(?:\\d{12}|aws):policy/(?:[\\w+=,.@-]+/)*[\\w+=,.@-]{1,128}$`);
const RESOURCE = new RegExp(`^arn:(${PARTITION}):([a-z0-9-]{2,63}):([a-z0-9-]{0,32}):(?:\\d{12}|aws)?:(.+)$`, 's');

/** The parts of a role's ARN. */
export interface RoleArn {
  readonly partition: string;
  /** empty at engines that have no accounts */
  readonly account: string;
  readonly path: string;
  readonly name: string;
}

export const RoleArnSchema = z
  .string()
  .max(600)
  .regex(ROLE, 'use the ARN of a role, such as `arn:aws:iam::123456789012:role/crm-export`');

export const PolicyArnSchema = z.string().max(600).regex(POLICY, 'use the ARN of a managed policy');

/** Returns the parts of an ARN that `RoleArnSchema` accepted. */
export function roleOf(arn: string): RoleArn {
  const [, partition = '', account = '', path = '', name = ''] = ROLE.exec(arn) ?? [];
  return { partition, account, path, name };
}

/** Returns the partition of a region. */
export function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  if (region.startsWith('us-gov-')) return 'aws-us-gov';
  if (region.startsWith('eusc-')) return 'aws-eusc';
  const [, isolated] = /^[a-z]+-(iso[a-z]?)-/.exec(region) ?? [];
  if (isolated === undefined) return 'aws';
  return isolated === 'iso' ? 'aws-iso' : `aws-iso-${isolated.at(-1) ?? ''}`;
}

/**
 * Returns the partition of a resource's ARN, or undefined when the text is none. Allows wildcards in the last part
 * only: one in the service, region or account would reach resources of others.
 */
export function partitionOfResource(arn: string): string | undefined {
  return RESOURCE.exec(arn)?.[1];
}
