import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { AnyProvider } from '@mayfly/credentials';
import {
  AgentLifecycle,
  ChangeRequests,
  Changes,
  Declarations,
  type Declarer,
  DocumentWriter,
  isRequested,
  type Precondition,
} from '@mayfly/declarations';
import { PublicEgress } from '@mayfly/egress';
import { type ChangeId, type JsonObject, newId, type Problem } from '@mayfly/kernel';
import { createMigratedDatabase, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { z } from 'zod';
import { PgClosingStore } from '../tasks/closing.store.js';
import { TaskEndings } from '../tasks/task-endings.js';
import { PgAgentLifecycleStore } from './agent-lifecycle.store.js';
import { DeclaredRows } from './declared-rows.js';
import { PgDeclarationStore } from './declaration.store.js';

const ROUNDS = 12;
const clock = { now: () => new Date() };
const NEW: Precondition = { must: 'be-new', otherwise: 'precondition_failed' };
const ANY: Precondition = { must: 'match', revisions: 'any' };

/** A provider with schemas and traits only; it cannot mint. */
const token = {
  kind: 'token',
  secretMembers: [],
  schemas: { config: z.strictObject({}), scope: z.looseObject({}), handle: z.never() },
  traits: { remote: false, revocation: 'propagating', minTtlSeconds: 1, maxTtlSeconds: 900 },
} as unknown as AnyProvider;

const personOf = (subject: string): Declarer => ({
  ...{ name: `staff:${subject}`, actor: { kind: 'person', issuer: 'staff', subject } },
  rights: { roles: ['platform'], groups: ['crm'] },
});
const [ANN, BEN, CAT] = [personOf('ann'), personOf('ben'), personOf('cat')];

let database: TestDatabase;
let admin: pg.Client;
let pool: pg.Pool;
beforeAll(async () => {
  database = await createMigratedDatabase();
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  pool = new pg.Pool({ connectionString: database.url, max: 8 });
});
beforeEach(async () => {
  await admin.query(`SET session_replication_role = replica;
    TRUNCATE issuer, agent, connection, audit_entry, document_change; SET session_replication_role = DEFAULT`);
});
afterAll(async () => {
  await pool.end();
  await admin.end();
  await database.drop();
});

/** The use cases of one process in production. */
function replica() {
  const store = new PgDeclarationStore(pool, new DeclaredRows(pool));
  const context = { providers: [token], egress: new PublicEgress(), secretFault: () => undefined };
  const writer = new DocumentWriter({ context, clock });
  const requests = new ChangeRequests({ store, writer, clock });
  const rules = { catalog: { refresh: () => Promise.resolve() }, clock, report: () => undefined };
  const endings = new TaskEndings(pool, new PgClosingStore(pool, clock));
  return {
    declarations: new Declarations({ store, context, ...rules, rolesOverApi: false, ownership: true, requests }),
    changes: new Changes({ store, writer, ...rules, rolesOverApi: false, redact: (text) => text }),
    agents: new AgentLifecycle({
      store: new PgAgentLifecycleStore(pool, endings),
      closing: { sweep: () => Promise.resolve() },
      ...{ ...rules, ownership: true, requests },
    }),
  };
}

async function changeIn(answer: Promise<object>): Promise<ChangeId> {
  const given = await answer;
  if (!isRequested(given)) throw new Error('no second person is asked for');
  return given.change.id;
}

function putCrm(maxConcurrentCalls: number, precondition: Precondition, by = ANN) {
  const spec = { provider: 'token', owner: 'crm', config: {}, maxConcurrentCalls };
  const document: JsonObject = { kind: 'Connection', metadata: { name: 'crm' }, spec };
  return replica().declarations.put('Connection', 'crm', document, precondition, by);
}

/** Returns the code of each outcome: `done`, or the code of the refusal. */
async function outcomesOf(...acts: readonly Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(acts);
  return settled.map((one) => (one.status === 'fulfilled' ? 'done' : (one.reason as Problem).code));
}

/** Returns the types of the entries that close changes, and of those that change documents, by their number. */
async function countEntries(): Promise<Record<string, number>> {
  const { rows } = await admin.query<{ type: string; count: number }>(
    'SELECT type, count(*)::int AS count FROM audit_entry GROUP BY type',
  );
  return Object.fromEntries(rows.map(({ type, count }) => [type, count]));
}

const approve = (id: ChangeId, by = BEN) => replica().changes.approve(id, undefined, by);
const refuse = (id: ChangeId, by = CAT) => replica().changes.refuse(id, 'no', by);

describe('decisions on one change at once', () => {
  it('decisions on one change at once take effect once, whichever replica comes first', async () => {
    const id = await changeIn(putCrm(1, NEW));
    const outcomes = await outcomesOf(approve(id), approve(id, CAT), approve(id), approve(id, CAT));
    expect(outcomes.sort()).toEqual(['conflict', 'conflict', 'conflict', 'done']);
    expect(await countEntries()).toEqual({ 'change.requested': 1, 'change.approved': 1, 'declaration.changed': 1 });
    expect(await replica().declarations.find('Connection', 'crm')).toMatchObject({ revision: 1 });
  });

  it('decisions on one change at once, an approval and a refusal: one is recorded, and the document follows it', async () => {
    const seen = new Set<string>();
    for (let round = 1; round <= ROUNDS; round += 1) {
      const id = await changeIn(putCrm(round, round === 1 ? NEW : ANY).catch(() => putCrm(round, NEW)));
      const [approved, refused] = await outcomesOf(approve(id), refuse(id));
      expect([approved, refused].sort()).toEqual(['conflict', 'done']);
      const { state } = (await replica().changes.view(id)) as { state: string };
      expect(state).toBe(approved === 'done' ? 'approved' : 'refused');
      const found = await replica()
        .declarations.find('Connection', 'crm')
        .catch(() => undefined);
      const inForce = (found?.spec as { maxConcurrentCalls?: number } | undefined)?.maxConcurrentCalls === round;
      expect(inForce).toBe(approved === 'done');
      seen.add(state);
    }
    console.log(`an approval against a refusal: ${[...seen].join(', ')}`);
  });

  it('an approval against a later change of the author never puts the later one in force unread', async () => {
    await approve(await changeIn(putCrm(200, NEW)));
    for (let round = 1; round <= ROUNDS; round += 1) {
      const { revision } = await replica().declarations.find('Connection', 'crm');
      const before: Precondition = { must: 'match', revisions: [revision] };
      const id = await changeIn(putCrm(round, before));
      const [approved, asked] = await outcomesOf(approve(id), putCrm(100 + round, before));
      const { spec } = await replica().declarations.find('Connection', 'crm');
      // Either the approval came first and the later change names an old revision, or the later change closed the first.
      expect([approved, asked].sort()).toEqual(
        approved === 'done' ? ['done', 'precondition_failed'] : ['conflict', 'done'],
      );
      if (approved === 'done') expect(spec).toMatchObject({ maxConcurrentCalls: round });
      else expect(spec).not.toMatchObject({ maxConcurrentCalls: 100 + round });
    }
  });

  it('requests of two persons for one document leave one change that waits', async () => {
    const outcomes = await outcomesOf(putCrm(1, NEW), putCrm(2, NEW, BEN), putCrm(3, NEW, CAT));
    expect(outcomes.sort()).toEqual(['conflict', 'conflict', 'done']);
    const { rows } = await admin.query('SELECT FROM document_change WHERE state IS NULL');
    expect(rows).toHaveLength(1);
  });
});

describe('an agent that is stopped', () => {
  beforeEach(async () => {
    await admin.query(
      `INSERT INTO agent (id, name, labels, spec, state, updated_by)
       VALUES ('${newId('agt')}', 'one', '{}', '{"owner": "crm"}', 'suspended', 'x')`,
    );
  });
  const take = (step: 'activate' | 'suspend' | 'retire', by = ANN) => replica().agents.take(step, 'one', by);
  const stateOf = async () => (await replica().declarations.find('Agent', 'one')).agent?.state;

  it('an agent that is stopped is suspended still while the change that lifts it waits, and active when it is approved', async () => {
    const id = await changeIn(take('activate'));
    expect(await stateOf()).toBe('suspended');
    expect(await outcomesOf(approve(id, ANN))).toEqual(['policy_denied']);
    await approve(id);
    expect(await stateOf()).toBe('active');
    expect(await countEntries()).toEqual({ 'change.requested': 1, 'agent.activated': 1, 'change.approved': 1 });
    await take('suspend');
    expect(await stateOf()).toBe('suspended');
  });

  it('an agent that is retired while its activation is approved stays retired', async () => {
    for (let round = 1; round <= ROUNDS; round += 1) {
      await admin.query(`UPDATE agent SET state = 'suspended'`);
      const id = await changeIn(take('activate'));
      const [approved] = await outcomesOf(approve(id), take('retire', BEN));
      expect(['done', 'precondition_failed']).toContain(approved);
      expect(await stateOf()).toBe('retired');
    }
  });
});
