/** What a condition key holds: it decides which operators can compare it. */
export type KeyKind = 'text' | 'date' | 'flag' | 'address' | 'arn' | 'number';

/**
 * The condition keys that a template may use, in the case in which AWS writes them. A key that an engine does not know is
 * not refused there: it never matches, so that a Deny under it denies nothing and nobody notices. Hence a list, and hence
 * the exact case (AWS itself ignores the case; others do not). Keys that end in `/` are followed by a tag's key or the like.
 */
const KEYS: Readonly<Record<KeyKind, readonly string[]>> = {
  text: [
    'aws:PrincipalAccount',
    'aws:PrincipalOrgID',
    'aws:PrincipalOrgPaths',
    'aws:PrincipalTag/',
    'aws:PrincipalType',
    'aws:RequestedRegion',
    'aws:RequestTag/',
    'aws:ResourceAccount',
    'aws:ResourceOrgID',
    'aws:ResourceOrgPaths',
    'aws:ResourceTag/',
    'aws:SourceAccount',
    'aws:SourceIdentity',
    'aws:SourceVpc',
    'aws:SourceVpce',
    'aws:TagKeys',
    'aws:UserAgent',
    'aws:userid',
    'dynamodb:Attributes',
    'dynamodb:EnclosingOperation',
    'dynamodb:LeadingKeys',
    'dynamodb:ReturnConsumedCapacity',
    'dynamodb:ReturnValues',
    'dynamodb:Select',
    'ec2:ResourceTag/',
    'kms:CallerAccount',
    'kms:EncryptionAlgorithm',
    'kms:EncryptionContext:',
    'kms:EncryptionContextKeys',
    'kms:ViaService',
    's3:authType',
    's3:delimiter',
    's3:ExistingObjectTag/',
    's3:prefix',
    's3:RequestObjectTag/',
    's3:RequestObjectTagKeys',
    's3:ResourceAccount',
    's3:signatureversion',
    's3:VersionId',
    's3:x-amz-acl',
    's3:x-amz-content-sha256',
    's3:x-amz-server-side-encryption',
    's3:x-amz-server-side-encryption-aws-kms-key-id',
    's3:x-amz-storage-class',
    'secretsmanager:ResourceTag/',
    'secretsmanager:VersionId',
    'secretsmanager:VersionStage',
    'sns:Protocol',
    'ssm:resourceTag/',
    'sts:ExternalId',
    'sts:RoleSessionName',
    'sts:SourceIdentity',
    'sts:TransitiveTagKeys',
  ],
  date: ['aws:CurrentTime', 'aws:TokenIssueTime'],
  flag: [
    'aws:MultiFactorAuthPresent',
    'aws:PrincipalIsAWSService',
    'aws:SecureTransport',
    'aws:ViaAWSService',
    'dynamodb:FullTableScan',
    's3:BucketKeyEnabled',
    'ssm:Recursive',
  ],
  address: ['aws:SourceIp', 'aws:VpcSourceIp'],
  arn: [
    'aws:PrincipalArn',
    'aws:SourceArn',
    'lambda:FunctionArn',
    's3:DataAccessPointArn',
    'secretsmanager:SecretId',
    'sns:Endpoint',
  ],
  number: [
    'aws:MultiFactorAuthAge',
    's3:max-keys',
    's3:object-lock-remaining-retention-days',
    's3:signatureAge',
    's3:TlsVersion',
  ],
};

const EXACT = new Map<string, KeyKind>();
const OPEN: (readonly [start: string, kind: KeyKind])[] = [];
for (const [kind, keys] of Object.entries(KEYS) as [KeyKind, readonly string[]][]) {
  for (const key of keys) {
    if (/[/:]$/.test(key)) OPEN.push([key, kind]);
    else EXACT.set(key, kind);
  }
}

/** What goes after `aws:PrincipalTag/` and its like. */
const TAG_KEY = /^[\w .:/=+@-]{1,128}$/;

/** The kind of a condition key, or undefined when it is none that a template may use, or not in AWS's own case. */
export function kindOfKey(key: string): KeyKind | undefined {
  const exact = EXACT.get(key);
  if (exact !== undefined) return exact;
  const open = OPEN.find(([start]) => key.startsWith(start));
  return open !== undefined && TAG_KEY.test(key.slice(open[0].length)) ? open[1] : undefined;
}

/** The listed key that differs from this one in case alone, to say so. */
export function inRightCase(key: string): string | undefined {
  return [...EXACT.keys()].find((listed) => listed.toLowerCase() === key.toLowerCase());
}
