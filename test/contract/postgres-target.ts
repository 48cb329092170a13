import type { MintOrder, RevocationOutcome } from '@mayfly/credentials';
import {
  PostgresConfigSchema,
  PostgresProvider,
  type PostgresConfig,
  type PostgresHandle,
  type PostgresScope,
} from '@mayfly/provider-postgres';
import { mintOrder } from '@mayfly/testing';
import { createCrmDatabase, secretText, type CrmDatabase, type Way } from './crm-database.js';
import { rows } from './sql.js';
import type { TargetServer } from './target-server.js';

export type Order = MintOrder<PostgresConfig, PostgresScope>;
export type Verb = PostgresScope['grants'][number]['verbs'][number];

export interface Lease {
  readonly order: Order;
  /** the handle after the mint */
  readonly handle: PostgresHandle;
  readonly role: string;
  readonly url: string;
  readonly password: string;
}

/** A database and a provider with leases on it. */
export interface PostgresTarget {
  readonly server: TargetServer;
  readonly crm: CrmDatabase;
  readonly provider: PostgresProvider;
  /** Returns an order; by default it reads three tables of `emea`. */
  orderFor(overrides?: Partial<Order>): Order;
  mint(order?: Order): Promise<Lease>;
  revoke(order: Order, using?: PostgresProvider): Promise<RevocationOutcome>;
  asSuperuser<Row extends Record<string, unknown>>(statement: string): Promise<Row[]>;
  roleCount(role: string): Promise<number>;
  sessionsOf(role: string): Promise<number>;
  close(): Promise<void>;
}

export function scopeOf(tables: string[], verbs: Verb[] = ['select'], schema = 'emea'): PostgresScope {
  return { grants: [{ schema, tables, verbs }] };
}

export function patience(): AbortSignal {
  return AbortSignal.timeout(20_000);
}

export async function openPostgresTarget(
  start: () => Promise<TargetServer>,
  way: Way = 'creators',
): Promise<PostgresTarget> {
  const server = await start();
  const crm = await createCrmDatabase(server, { way });
  const provider = new PostgresProvider();
  const orderFor = (overrides: Partial<Order> = {}): Order => ({ ...defaultOrder(crm), ...overrides });
  const asSuperuser = <Row extends Record<string, unknown>>(statement: string): Promise<Row[]> =>
    rows<Row>(crm.superuserUrl, statement);
  return {
    server,
    crm,
    provider,
    orderFor,
    mint: (order = orderFor()) => mintWith(provider, order),
    revoke: (order, using = provider) => using.revoke({ ...order, handle: using.plan(order) }, patience()),
    asSuperuser,
    roleCount: async (role) => (await asSuperuser(`SELECT FROM pg_roles WHERE rolname = '${role}'`)).length,
    sessionsOf: async (role) => (await asSuperuser(`SELECT FROM pg_stat_activity WHERE usename = '${role}'`)).length,
    close: async () => {
      await provider.close();
      await crm.drop();
      await server.stop();
    },
  };
}

async function mintWith(provider: PostgresProvider, order: Order): Promise<Lease> {
  const { handle, secret } = await provider.mint(order, provider.plan(order), patience());
  const [role, url, password] = ['username', 'url', 'password'].map((member) => secretText(secret, member));
  return { order, handle, role: role!, url: url!, password: password! };
}

function defaultOrder(crm: CrmDatabase): Order {
  const config = PostgresConfigSchema.parse({ url: crm.loginUrl, role: crm.admin, connectionCapacity: 10_000 });
  return mintOrder(config, scopeOf(['customers', 'cases', 'case_notes']), new Date());
}
