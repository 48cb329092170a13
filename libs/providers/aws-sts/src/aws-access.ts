import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { rootCertificates } from 'node:tls';
import { AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { IAMClient } from '@aws-sdk/client-iam';
import type { IdentityTokens } from '@mayfly/credentials';
import { connectionAddressFault, guardedLookup } from '@mayfly/egress';
import { Problem, type Clock, type ClockReading, clockReading, HEADER_SECONDS } from '@mayfly/kernel';
import type { AwsConfig } from './config.schema.js';
import { FLOOR_SECONDS } from './config.schema.js';

/** Timeout of one call; the callers' own deadlines are usually shorter. */
const CALL_MILLISECONDS = 15_000;
const CONNECT_MILLISECONDS = 5_000;

/** A login in the SDK's form. */
interface Login {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly expiration?: Date;
}

/** Facts about the login of a connection, without the login itself. */
export interface LoginFacts {
  readonly temporary: boolean;
  /** since this process first saw the login */
  readonly ageSeconds: number;
}

export interface AccessParts {
  readonly clock: Clock;
  readonly identityTokens: IdentityTokens;
}

/**
 * The clients of one connection. They repeat no call, and take no setting but a default-chain login from the
 * environment.
 */
export class AwsAccess {
  readonly sts: STSClient;
  readonly iam: IAMClient;
  /** for calls that carry a token instead of a login */
  readonly unsigned: STSClient;
  private readonly agents: readonly [HttpAgent, HttpsAgent];
  /** when this process first saw the login with this access key */
  private seen: { readonly accessKeyId: string; readonly at: Date } | undefined;
  /** the account of the login with this access key */
  private owner: { readonly accessKeyId: string; readonly account: string } | undefined;
  private reading: ClockReading | undefined;

  constructor(
    readonly config: AwsConfig,
    private readonly parts: AccessParts,
  ) {
    const { ca } = config.tls ?? {};
    this.agents = [
      new HttpAgent(AGENT),
      new HttpsAgent({ ...AGENT, ...(ca === undefined ? {} : { ca: [ca, ...rootCertificates] }) }),
    ];
    const { sts, iam } = config.endpoints;
    const common = this.clientConfig();
    const credentials = this.loginOf();
    this.unsigned = new STSClient({ ...common, ...at(sts), credentials: NO_LOGIN });
    this.sts = new STSClient({ ...common, ...at(sts), ...(credentials === undefined ? {} : { credentials }) });
    this.iam = new IAMClient({ ...common, ...at(iam), credentials: this.sts.config.credentials });
    for (const client of [this.sts, this.unsigned]) this.readClock(client);
  }

  /** Finds the login. Rejects with the SDK's error when there is none. */
  async login(): Promise<LoginFacts> {
    const { accessKeyId, sessionToken } = await this.sts.config.credentials();
    const now = this.parts.clock.now();
    if (this.seen?.accessKeyId !== accessKeyId) this.seen = { accessKeyId, at: now };
    return {
      temporary: sessionToken !== undefined,
      ageSeconds: Math.max(0, Math.round((now.getTime() - this.seen.at.getTime()) / 1000)),
    };
  }

  /** Returns the account of the login, and asks once for each login; undefined when the engine answers without one. */
  async account(options: { readonly abortSignal: AbortSignal }): Promise<string | undefined> {
    const { accessKeyId } = await this.sts.config.credentials();
    if (this.owner?.accessKeyId === accessKeyId) return this.owner.account;
    const { Account: account } = await this.sts.send(new GetCallerIdentityCommand({}), options);
    if (account === undefined || !/^\d{12}$/.test(account)) return undefined;
    this.owner = { accessKeyId, account };
    return account;
  }

  /** AWS's clock minus ours in whole seconds, from the `Date` header of the latest answer of STS. */
  get clockOffsetSeconds(): number | undefined {
    return this.reading === undefined ? undefined : Math.round(this.reading.offsetSeconds);
  }

  /** The latest reading of AWS's clock, from the `Date` header of an answer of STS. */
  get clock(): ClockReading | undefined {
    return this.reading;
  }

  close(): void {
    for (const client of [this.sts, this.unsigned, this.iam]) client.destroy();
    for (const agent of this.agents) agent.destroy();
  }

  private clientConfig() {
    return {
      region: this.config.region,
      maxAttempts: 1,
      retryMode: 'standard' as const,
      defaultsMode: 'standard' as const,
      ignoreConfiguredEndpointUrls: true,
      useDualstackEndpoint: false,
      useFipsEndpoint: false,
      userAgentAppId: async () => 'mayfly',
      requestHandler: {
        connectionTimeout: CONNECT_MILLISECONDS,
        requestTimeout: CALL_MILLISECONDS,
        throwOnRequestTimeout: true,
        httpAgent: this.agents[0],
        httpsAgent: this.agents[1],
      },
      logger: SILENT,
    };
  }

  private loginOf(): Login | (() => Promise<Login>) | undefined {
    const { auth } = this.config;
    if (auth.method === 'default-chain') return undefined;
    if (auth.method === 'web-identity') return () => this.loginByToken(auth.roleArn, auth.audience);
    const { accessKeyId, secretAccessKey, sessionToken } = auth;
    return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
  }

  /** Takes Mayfly's own role, for its calls to IAM. The SDK keeps the session until shortly before it expires. */
  private async loginByToken(roleArn: string, audience: string): Promise<Login> {
    const token = await this.parts.identityTokens.issue({ audience, subject: 'mayfly', lifetimeSeconds: 300 });
    const answer = await this.unsigned.send(
      new AssumeRoleWithWebIdentityCommand({
        RoleArn: roleArn,
        RoleSessionName: 'mayfly',
        WebIdentityToken: token,
        DurationSeconds: FLOOR_SECONDS,
      }),
    );
    const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = answer.Credentials ?? {};
    if (AccessKeyId === undefined || SecretAccessKey === undefined || SessionToken === undefined) {
      throw new Problem(
        'provider_unavailable',
        'AWS answered without a session for Mayfly; check the `auth` of the connection',
        { reason: 'unknown-outcome' },
      );
    }
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
      ...(Expiration === undefined ? {} : { expiration: Expiration }),
    };
  }

  private readClock(client: STSClient): void {
    client.middlewareStack.add(
      (next) => async (args) => {
        const sentAt = this.parts.clock.now();
        const result = await next(args);
        const { headers } = result.response as { headers?: Readonly<Record<string, string>> };
        const date = Date.parse(headers?.date ?? '');
        const receivedAt = this.parts.clock.now();
        if (!Number.isNaN(date)) this.reading = clockReading(sentAt, receivedAt, new Date(date), HEADER_SECONDS);
        return result;
      },
      { step: 'deserialize', priority: 'low', name: 'mayflyReadClock' },
    );
  }
}

const AGENT = { keepAlive: true, maxSockets: 64, lookup: guardedLookup(connectionAddressFault) };
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };
const NO_LOGIN: Login = { accessKeyId: 'unsigned', secretAccessKey: 'unsigned' };

function ignore(): void {
  // drops the SDK's log lines, which quote requests
}

function at(endpoint: string | undefined): { endpoint?: string } {
  return endpoint === undefined ? {} : { endpoint };
}
