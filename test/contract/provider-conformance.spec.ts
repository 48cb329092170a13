import { randomBytes } from 'node:crypto';
import { describe } from '@jest/globals';
import type { MintOrder } from '@mayfly/credentials';
import { DummyProvider, type DummyConfig, type DummyHandle, type DummyScope } from '@mayfly/provider-dummy';
import {
  PostgresConfigSchema,
  PostgresProvider,
  type PostgresConfig,
  type PostgresHandle,
  type PostgresScope,
} from '@mayfly/provider-postgres';
import {
  SignedTokenProvider,
  type SignedTokenConfig,
  type SignedTokenHandle,
  type SignedTokenScope,
} from '@mayfly/provider-signed-token';
import { FakeSigningKeyStore, providerConformanceSuite, type ProviderSubject } from '@mayfly/testing';
import { KeyRing, Sealer, TokenSigner } from '@mayfly/trust';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { createCrmDatabase, secretText, SERVERS_AND_WAYS, type Way } from './crm-database.js';
import { openSession, rows } from './sql.js';
import type { TargetServer } from './target-server.js';

const ALL_ABILITIES = { remote: true, renewable: true, refusesScopes: true, stalls: true, usable: true };

providerConformanceSuite('dummy', { ...ALL_ABILITIES, refusesScopes: false }, dummySubject);

providerConformanceSuite(
  'signed-token',
  { remote: false, renewable: true, refusesScopes: false, stalls: false },
  signedTokenSubject,
);

describe.each(SERVERS_AND_WAYS)('postgres on %s, by way of %s', (_, way, start) => {
  providerConformanceSuite('postgres', ALL_ABILITIES, async () => postgresSubject(await start(), way));
});

async function dummySubject(): Promise<ProviderSubject<DummyConfig, DummyScope, DummyHandle>> {
  const at = new Date('2026-01-01T00:00:00Z');
  const provider = new DummyProvider({ now: () => at });
  return {
    provider,
    config: {},
    scope: { permissions: ['cases.read'] },
    now: () => at,
    isAlive: async (secret) => provider.allows(secretText(secret, 'token'), 'cases.read'),
    isPresent: async (handle) => provider.live().some(({ id }) => id === handle.id),
    secretTexts: (secret) => [secretText(secret, 'token')],
    stall: async (order: MintOrder<DummyConfig, DummyScope>) => {
      provider.switches.failMint('hang after effect', order.leaseId);
      const reached = async (): Promise<void> => {
        while (provider.live().length === 0) await new Promise(setImmediate);
      };
      return { reached, release: async () => undefined };
    },
    close: () => Promise.resolve(),
  };
}

/** The target of a token is a resource server that verifies offline: no revocation reaches it before the expiry. */
async function signedTokenSubject(): Promise<ProviderSubject<SignedTokenConfig, SignedTokenScope, SignedTokenHandle>> {
  const clock = { now: () => new Date('2030-01-01T00:00:00Z') };
  const sealer = new Sealer({ current: randomBytes(32).toString('hex') });
  const ring = new KeyRing(new FakeSigningKeyStore(), sealer, clock);
  await ring.rotateIfDue();
  const audience = 'https://cases.example';
  const keys = createLocalJWKSet({ keys: ring.jwks().keys.map((key) => ({ ...key })) });
  const accepts = (token: string, currentDate: Date): Promise<boolean> =>
    jwtVerify(token, keys, { audience, currentDate, clockTolerance: 0 }).then(
      () => true,
      () => false,
    );
  return {
    provider: new SignedTokenProvider(new TokenSigner(ring, clock), 'https://mayfly.example'),
    config: {},
    scope: { audience, operations: ['cases.read'] },
    now: () => clock.now(),
    isAlive: (secret, at = clock.now()) => accepts(secretText(secret, 'token'), at),
    secretTexts: (secret) => secretText(secret, 'token').split('.').slice(1),
    close: async () => undefined,
  };
}

async function postgresSubject(
  server: TargetServer,
  way: Way,
): Promise<ProviderSubject<PostgresConfig, PostgresScope, PostgresHandle>> {
  const database = await createCrmDatabase(server, { way });
  const provider = new PostgresProvider();
  const configFor = (url: string): PostgresConfig => PostgresConfigSchema.parse({ url });
  const grants = [{ schema: 'emea', tables: ['customers', 'cases', 'case_notes'], verbs: ['select' as const] }];
  return {
    provider,
    config: configFor(database.url),
    scope: { grants },
    now: () => new Date(),
    isAlive: (secret) => canRead(secretText(secret, 'url')),
    isPresent: async ({ role }) => (await rolesNamed(server, role)) > 0,
    secretTexts: (secret) => [secretText(secret, 'password')],
    refusedScope: { grants: [{ schema: 'emea', tables: ['no_such_table'], verbs: ['select'] }] },
    brokenConfigs: [
      configFor(database.url.replace('canary_', 'canary_wrong_')),
      configFor(database.url.replace(/:\d+\//, ':1/')),
      configFor(database.url.replace('crm_', 'crm_missing_')),
      configFor('postgresql://canary_user:canary_password@h:canary_port/crm'),
    ],
    canaries: [new URL(database.url).password, 'canary_'],
    stall: (_, handle) => holdName(database.superuserUrl, handle.role),
    close: async () => {
      await provider.close();
      await database.drop();
      await server.stop();
    },
  };
}

async function canRead(url: string): Promise<boolean> {
  try {
    return (await rows(url, 'SELECT id FROM emea.customers')).length === 1;
  } catch {
    return false;
  }
}

async function rolesNamed(server: TargetServer, role: string): Promise<number> {
  return (await rows(server.url('postgres'), `SELECT FROM pg_roles WHERE rolname = '${role}'`)).length;
}

/** While somebody else is making a role of this name, minting it waits. */
async function holdName(url: string, name: string) {
  const { client } = await openSession(url);
  await client.query(`BEGIN; CREATE ROLE ${name}`);
  const reached = async (): Promise<void> => {
    const waiting = 'SELECT FROM pg_locks WHERE locktype = $1 AND NOT granted';
    while ((await client.query(waiting, ['transactionid'])).rowCount === 0);
  };
  return { reached, release: () => client.end() };
}
