import { randomUUID } from 'node:crypto';
import {
  CreateRoleCommand,
  DeleteRolePolicyCommand,
  GetRolePolicyCommand,
  IAMClient,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { IdentityTokens, Minted, MintOrder, RevocationOutcome } from '@mayfly/credentials';
import { type Clock } from '@mayfly/kernel';
import { mintOrder } from '@mayfly/testing';
import { AwsStsProvider, type AwsConfig, type AwsHandle, type AwsScope } from '@mayfly/provider-aws-sts';
import { secretText } from './crm-database.js';
import { MemoryDenyPolicies } from './memory-deny-policies.js';

export type AwsOrder = MintOrder<AwsConfig, AwsScope>;
export type Secret = Minted<AwsHandle>['secret'];

/** An account of AWS or of a substitute, with a user that may do everything in it. */
export interface AwsAccount {
  readonly name: string;
  readonly endpoint: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** the user's name in trust policies */
  readonly user: string;
  /** account id in the ARNs of roles */
  readonly account: string;
  readonly clock: Clock;
}

export interface RoleOptions {
  readonly maxSessionSeconds?: number;
  /** statements of the trust policy; by default one that trusts the user */
  readonly trust?: readonly object[];
  /** statements of the role's rights; by default everything in the bucket */
  readonly rights?: readonly object[];
}

export const POLICY_NAME = 'MayflyRevocations';

export function patience(): AbortSignal {
  return AbortSignal.timeout(20_000);
}

const NO_TOKENS: IdentityTokens = {
  issuer: 'https://mayfly.example',
  issue: () => Promise.reject(new Error('this target needs no identity token')),
};

/** A bucket with the objects `reports/1` and `private/1`, roles for it, and a provider with leases on it. */
export class AwsTarget {
  readonly bucket = `crm-${randomUUID().slice(0, 8)}`;
  readonly denyPolicies: MemoryDenyPolicies;
  readonly provider: AwsStsProvider;
  readonly iam: IAMClient;
  private readonly clients: S3Client[] = [];

  private constructor(
    readonly aws: AwsAccount,
    readonly identityTokens: IdentityTokens,
  ) {
    this.denyPolicies = new MemoryDenyPolicies(aws.clock);
    this.provider = this.anotherProvider();
    this.iam = new IAMClient({ ...this.base(aws) });
  }

  static async open(aws: AwsAccount, identityTokens = NO_TOKENS): Promise<AwsTarget> {
    const target = new AwsTarget(aws, identityTokens);
    const s3 = target.s3(aws);
    await s3.send(new CreateBucketCommand({ Bucket: target.bucket }));
    for (const key of ['reports/1', 'private/1']) {
      await s3.send(new PutObjectCommand({ Bucket: target.bucket, Key: key, Body: 'one' }));
    }
    return target;
  }

  /** Returns the provider of another process on the same database. */
  anotherProvider(denyPolicies = this.denyPolicies): AwsStsProvider {
    const { identityTokens } = this;
    return new AwsStsProvider({ clock: this.aws.clock, denyPolicies, identityTokens, allowPlainHttp: true });
  }

  config(overrides: object = {}): AwsConfig {
    const { accessKeyId, secretAccessKey, endpoint } = this.aws;
    return this.provider.schemas.config.parse({
      region: 'eu-central-1',
      auth: { method: 'static', accessKeyId, secretAccessKey },
      endpoints: { sts: endpoint, iam: endpoint },
      revocation: { mode: 'role-policy', propagationSeconds: 0 },
      maxSessionSeconds: 43_200,
      ...overrides,
    });
  }

  /** Returns a scope that reads `reports/`. */
  scope(roleArn: string, overrides: object = {}): AwsScope {
    const statement = { Effect: 'Allow', Action: 's3:GetObject', Resource: `arn:aws:s3:::${this.bucket}/reports/*` };
    return this.provider.schemas.scope.parse({
      roleArn,
      policy: { Version: '2012-10-17', Statement: [statement] },
      ...overrides,
    });
  }

  /** Creates a role; by default it trusts the user and may do everything in the bucket. */
  async createRole({ maxSessionSeconds = 43_200, trust, rights }: RoleOptions = {}): Promise<string> {
    const name = `role-${randomUUID().slice(0, 8)}`;
    const trusted = {
      Effect: 'Allow',
      Principal: { AWS: [this.aws.user] },
      Action: this.aws.account === '' ? ['sts:AssumeRole'] : TRUSTED,
    };
    const everything = {
      Effect: 'Allow',
      Action: ['s3:*'],
      Resource: [`arn:aws:s3:::${this.bucket}`, `arn:aws:s3:::${this.bucket}/*`],
    };
    await this.iam.send(
      new CreateRoleCommand({
        RoleName: name,
        AssumeRolePolicyDocument: documentOf(trust ?? [trusted]),
        MaxSessionDuration: maxSessionSeconds,
      }),
    );
    await this.iam.send(
      new PutRolePolicyCommand({
        RoleName: name,
        PolicyName: 'rights',
        PolicyDocument: documentOf(rights ?? [everything]),
      }),
    );
    return `arn:aws:iam::${this.aws.account}:role/${name}`;
  }

  orderFor(roleArn: string, overrides: Partial<AwsOrder> = {}): AwsOrder {
    return mintOrder(this.config(), this.scope(roleArn), this.aws.clock.now(), overrides);
  }

  async mint(order: AwsOrder, provider = this.provider): Promise<Secret> {
    return (await provider.mint(order, provider.plan(order), patience())).secret;
  }

  /** Records the end of the lease as the database would, then lets the provider revoke it. */
  async revoke(
    order: AwsOrder,
    provider = this.provider,
    effectiveAt?: Date,
    denyPolicies = this.denyPolicies,
  ): Promise<RevocationOutcome> {
    const handle = this.handleOf(order);
    const { leaseId, expiresAt, mintBy } = order;
    const place = provider.revocationPointOf(handle, order.config);
    if (place !== undefined) denyPolicies.revoke(place, { leaseId, expiresAt, issuedBy: mintBy });
    return provider.revoke({ ...order, handle, ...(effectiveAt === undefined ? {} : { effectiveAt }) }, patience());
  }

  handleOf({ scope, leaseId }: AwsOrder): AwsHandle {
    return { roleArn: scope.roleArn, sessionName: leaseId, iam: this.aws.endpoint };
  }

  revocationPointOf(roleArn: string): string {
    const handle = { roleArn, sessionName: 'any', iam: this.aws.endpoint };
    return this.provider.revocationPointOf(handle, this.config()) ?? '';
  }

  /** Returns Mayfly's deny policy at the role; undefined without one. */
  async document(roleArn: string): Promise<string | undefined> {
    const answer = await this.iam
      .send(new GetRolePolicyCommand({ RoleName: nameOf(roleArn), PolicyName: POLICY_NAME }))
      .catch(() => undefined);
    const text = answer?.PolicyDocument;
    return text?.startsWith('%') === true ? decodeURIComponent(text) : text;
  }

  async removeDocument(roleArn: string): Promise<void> {
    await this.iam.send(new DeleteRolePolicyCommand({ RoleName: nameOf(roleArn), PolicyName: POLICY_NAME }));
  }

  async writeDocument(roleArn: string, document: string): Promise<void> {
    await this.iam.send(
      new PutRolePolicyCommand({ RoleName: nameOf(roleArn), PolicyName: POLICY_NAME, PolicyDocument: document }),
    );
  }

  /** Returns a reader with an agent's credential, for one use or many. */
  readerOf(secret: Secret): (key?: string) => Promise<boolean> {
    const [accessKeyId = '', secretAccessKey = '', sessionToken = ''] = [
      'accessKeyId',
      'secretAccessKey',
      'sessionToken',
    ].map((member) => secretText(secret, member));
    const client = this.s3({ ...this.aws, accessKeyId, secretAccessKey, sessionToken });
    return async (key = 'reports/1') => {
      try {
        const answer = await client.send(new GetObjectCommand({ Bucket: this.bucket, Key: key }));
        return (await answer.Body?.transformToString()) === 'one';
      } catch (error) {
        const status = (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
        if (status === 403 || status === 400) return false;
        throw error;
      }
    };
  }

  isAlive(secret: Secret, key?: string): Promise<boolean> {
    return this.readerOf(secret)(key);
  }

  async close(): Promise<void> {
    await this.provider.close();
    this.iam.destroy();
    for (const client of this.clients) client.destroy();
  }

  private s3(login: { accessKeyId: string; secretAccessKey: string; sessionToken?: string }): S3Client {
    const client = new S3Client({ ...this.base(login), forcePathStyle: true });
    this.clients.push(client);
    return client;
  }

  private base({
    accessKeyId,
    secretAccessKey,
    sessionToken,
  }: {
    accessKeyId: string;
    secretAccessKey: string;
    sessionToken?: string;
  }) {
    const credentials = { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
    return { endpoint: this.aws.endpoint, region: 'us-east-1', maxAttempts: 1, credentials };
  }
}

/** The actions that docs/connect-aws.md allows in a role's trust policy. */
const TRUSTED = ['sts:AssumeRole', 'sts:SetSourceIdentity', 'sts:TagSession'];

export function documentOf(statements: readonly object[]): string {
  return JSON.stringify({ Version: '2012-10-17', Statement: statements });
}

export function nameOf(roleArn: string): string {
  return roleArn.slice(roleArn.lastIndexOf('/') + 1);
}
