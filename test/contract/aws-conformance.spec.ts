import { describe } from '@jest/globals';
import type { Minted, RevocationOrder, RevocationOutcome } from '@mayfly/credentials';
import {
  AwsStsProvider,
  type AwsStsParts,
  type AwsConfig,
  type AwsHandle,
  type AwsScope,
} from '@mayfly/provider-aws-sts';
import { providerConformanceSuite, type ProviderSubject } from '@mayfly/testing';
import { AWS_ACCOUNTS, type StartAccount } from './aws-accounts.js';
import { AwsTarget, type AwsOrder, type Secret } from './aws-target.js';
import type { MemoryDenyPolicies } from './memory-deny-policies.js';
import { secretText } from './crm-database.js';

const abilities = { remote: true, renewable: true, refusesScopes: true, stalls: true, keepsRecord: false };

describe.each(AWS_ACCOUNTS)('aws-sts on %s', (_, start) => {
  providerConformanceSuite('aws-sts', abilities, () => awsSubject(start));
});

/** Remembers what it minted: nobody can ask AWS for the sessions of a role. */
class RememberingProvider extends AwsStsProvider {
  readonly minted = new Map<string, Secret[]>();

  constructor(
    parts: AwsStsParts,
    private readonly database: MemoryDenyPolicies,
  ) {
    super(parts);
  }

  override async mint(order: AwsOrder, planned: AwsHandle, signal: AbortSignal): Promise<Minted<AwsHandle>> {
    const minted = await super.mint(order, planned, signal);
    this.minted.set(order.leaseId, [...(this.minted.get(order.leaseId) ?? []), minted.secret]);
    return minted;
  }

  /** As the service does it: first the end is recorded. */
  override revoke(order: RevocationOrder<AwsConfig, AwsHandle>, signal: AbortSignal): Promise<RevocationOutcome> {
    const { leaseId, expiresAt, handle, config } = order;
    const place = this.revocationPointOf(handle, config);
    if (place !== undefined) this.database.revoke(place, { leaseId, expiresAt, issuedBy: expiresAt });
    return super.revoke(order, signal);
  }
}

async function awsSubject(start: StartAccount): Promise<ProviderSubject<AwsConfig, AwsScope, AwsHandle>> {
  const { aws, freeze, stop } = await start();
  const target = await AwsTarget.open(aws);
  const [role, untrusting] = [await target.createRole(), await target.createRole({ trust: [distrust(aws.user)] })];
  const { identityTokens, denyPolicies } = target;
  const provider = new RememberingProvider(
    { clock: aws.clock, denyPolicies, identityTokens, allowPlainHttp: true },
    denyPolicies,
  );
  const canary = 'canary-secret-access-key';
  return {
    provider,
    config: target.config(),
    scope: target.scope(role),
    now: () => aws.clock.now(),
    isAlive: (secret) => target.isAlive(secret),
    isPresent: async ({ sessionName }) => {
      const alive = await Promise.all((provider.minted.get(sessionName) ?? []).map((secret) => target.isAlive(secret)));
      return alive.includes(true);
    },
    secretTexts: (secret) => ['secretAccessKey', 'sessionToken'].map((member) => secretText(secret, member)),
    refusedScope: target.scope(untrusting),
    brokenConfigs: [
      target.config({ auth: { method: 'static', accessKeyId: aws.accessKeyId, secretAccessKey: canary } }),
      target.config({ endpoints: { sts: 'http://127.0.0.1:1', iam: 'http://127.0.0.1:1' } }),
    ],
    canaries: [canary, aws.secretAccessKey],
    stall: async () => freeze(),
    close: async () => {
      await provider.close();
      await target.close();
      await stop();
    },
  };
}

/** A trust policy that names the user and lets nobody in. */
function distrust(user: string): object {
  return { Effect: 'Deny', Principal: { AWS: [user] }, Action: ['sts:AssumeRole'] };
}
