import { randomBytes } from 'node:crypto';
import {
  objectionsTo,
  traitsOf,
  type AnyProvider,
  type Connection,
  type Minted,
  type MintOrder,
  type RegisteredProvider,
} from '@mayfly/credentials';
import type { Clock } from '@mayfly/kernel';
import { AwsStsProvider } from '@mayfly/provider-aws-sts';
import { PostgresProvider } from '@mayfly/provider-postgres';
import { checkSignedToken, SignedTokenProvider } from '@mayfly/provider-signed-token';
import { VaultProvider } from '@mayfly/provider-vault';
import { FakeSigningKeyStore } from '@mayfly/testing';
import { KeyRing, Sealer, TokenSigner } from '@mayfly/trust';
import { readPolicy } from '../contract/aws-fake/policy.js';

/** One connection of each provider, named after it. */
export const CONNECTIONS: readonly { name: string; kind: string; config: Connection['spec']['config'] }[] = [
  { name: 'dummy', kind: 'dummy', config: {} },
  { name: 'postgres', kind: 'postgres', config: { url: 'postgresql://u:p@db.example/crm' } },
  {
    name: 'signed-token',
    kind: 'signed-token',
    config: { audience: 'https://cases.example', resourceServers: [{ issuer: 'cluster', subject: 'cases' }] },
  },
  {
    name: 'vault',
    kind: 'vault',
    config: {
      address: 'https://vault.example',
      auth: { method: 'jwt', role: 'mayfly' },
      engines: [{ mount: 'database' }, { mount: 'pki' }],
    },
  },
  { name: 'aws-sts', kind: 'aws-sts', config: { region: 'eu-central-1', auth: { method: 'default-chain' } } },
];

/** Builds the broker's providers with their real decisions and without any target. */
export async function providersWithoutTargets(clock: Clock): Promise<readonly RegisteredProvider[]> {
  const ring = new KeyRing(new FakeSigningKeyStore(), new Sealer({ current: randomBytes(32).toString('hex') }), clock);
  await ring.rotateIfDue();
  const parts = { clock, allowPlainHttp: false, allowTokenAuth: false } as never;
  const signedToken = new SignedTokenProvider(new TokenSigner(ring, clock), 'https://mayfly.example');
  return [
    { provider: withoutTarget(new PostgresProvider(), () => undefined) },
    { provider: withoutTarget(new VaultProvider(parts), () => undefined) },
    {
      provider: withoutTarget(new AwsStsProvider(parts), ({ scope }) => {
        readPolicy(JSON.stringify((scope as { policy: unknown }).policy));
      }),
    },
    { provider: signedToken, check: checkSignedToken },
  ];
}

/** Wraps a provider: it decides as the real one and mints at no target; `refuse` throws what a target would refuse. */
function withoutTarget(provider: AnyProvider, refuse: (order: MintOrder<unknown, never>) => void): AnyProvider {
  return {
    kind: provider.kind,
    schemas: provider.schemas,
    secretMembers: provider.secretMembers,
    traits: { ...provider.traits, recordsFirst: false },
    ...(provider.authoring === undefined ? {} : { authoring: provider.authoring }),
    plan: (order: MintOrder<unknown, never>) => provider.plan(order),
    inspect: (config: unknown, scope: unknown) => objectionsTo(provider, config, scope),
    traitsFor: (config: unknown, scope: unknown) => traitsOf(provider, config, scope),
    mint: async (order: MintOrder<unknown, never>, handle: unknown): Promise<Minted<unknown>> => {
      refuse(order);
      return { handle, secret: { it: 'is' }, providerExpiresAt: order.expiresAt };
    },
    revoke: async () => ({ kind: 'revoked' }),
  } as AnyProvider;
}
