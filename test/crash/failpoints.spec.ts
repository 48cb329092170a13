import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Step, STEPS } from '@mayfly/tasks';
import { openDatabaseScene, type BrokerProcess, type DatabaseScene } from '../support/broker-process.js';
import { templateDocument } from '../support/documents.js';
import { recovered, type Census } from '../support/recovery.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, starterWith } from '../support/starter.js';
import { leaseRoles } from '../support/target.js';
import { grant } from '../support/tasks.js';

/** A task left behind lives this long: longer than all the dying and recovering takes. */
const LIFETIME_SECONDS = 1800;

type Template = 'database' | 'token';

/**
 * The state of the task after its process was killed at the step and another one recovered; a step without a state
 * leaves no task.
 */
const LEFT: Readonly<Record<Template, Partial<Record<Step, string>>>> = {
  database: { open: 'failed', mint: 'failed', check: 'failed', activate: 'active', answer: 'active' },
  // intent and activation are one commit, which comes after the check: there is no step `activate`, the request is answered
  token: { open: 'active', answer: 'active' },
};

interface Case {
  readonly step: Step;
  readonly template: Template;
}

const CASES: readonly Case[] = STEPS.flatMap((step): Case[] => [
  { step, template: 'database' },
  ...(step === 'activate' ? [] : [{ step, template: 'token' as const }]),
]);

let scene: DatabaseScene;
let others: readonly string[];
let census: Census;
let survivor: BrokerProcess;
const died = new Map<string, string>();
const nameOf = ({ step, template }: Case): string => `${template} ${step}`;

beforeAll(async () => {
  const lifetime = { lifetime: { defaultSeconds: LIFETIME_SECONDS, maxSeconds: LIFETIME_SECONDS } };
  const starter = await starterWith(
    templateDocument('database', { ...lifetime, credentials: READ_CASES }),
    templateDocument('token', lifetime),
  );
  scene = await openDatabaseScene(starter.documents);
  others = await leaseRoles(scene.targetUrl);
  for (const step of STEPS) {
    const dying = CASES.filter((one) => one.step === step);
    await Promise.all(dying.map(async (one) => died.set(nameOf(one), await dieAfter(one))));
  }
  survivor = await scene.start();
  census = await recovered(scene, others);
}, 300_000);
afterAll(() => scene.close());

/** Starts a service that dies at the step, on what the last ones left; says how the request and the process ended. */
async function dieAfter({ step, template }: Case): Promise<string> {
  const broker = await scene.start({ MAYFLY_FAILPOINT: step });
  const body = { template, purpose: `die after ${step}` };
  const headers = { 'idempotency-key': randomUUID() };
  const token = await scene.agentToken('support-agent');
  const answer = await broker.send('POST /tasks', { token, body, headers }).then(
    ({ status }) => `answer ${String(status)}`,
    () => 'no answer',
  );
  const { signal } = await broker.exited;
  return `${answer}, ${signal ?? 'no signal'}`;
}

describe.each(CASES)('a service killed after `$step` of a $template task', ({ step, template }) => {
  it('a service that is killed after a step has answered nothing', () => {
    expect(died.get(nameOf({ step, template }))).toBe('no answer, SIGKILL');
  });

  it(`a service that is killed after a step leaves what docs/issuance.md says: ${LEFT[template][step] ?? 'nothing'}`, async () => {
    const tasks = await rowsOf<{ state: string; leases: string[]; end_cause: string | null }>(
      scene.database.adminUrl,
      `SELECT t.state, t.end_cause, array_agg(l.state) AS leases FROM task t JOIN lease l ON l.task_id = t.id
       WHERE t.purpose = $1 AND t.template_name = $2 GROUP BY t.id`,
      [`die after ${step}`, template],
    );
    const state = LEFT[template][step];
    const ended = { state, end_cause: 'issuance_failed', leases: ['revoked'] };
    const alive = { state, end_cause: null, leases: ['active'] };
    expect(tasks).toEqual(state === undefined ? [] : [state === 'active' ? alive : ended]);
  });
});

describe('after recovery', () => {
  it('after recovery, the roles that exist are those of the active leases', () => {
    expect(census.roles).toEqual(census.active);
    expect(census.active).toHaveLength(2);
  });

  it('after recovery, the quota counts the tasks that have not ended', () => {
    expect(census.counted).toBe(census.living);
    expect(census.living).toBe(4);
  });

  it('after recovery, the next request is granted', async () => {
    const token = await scene.agentToken('support-agent');
    const task = await grant(survivor, token, { template: 'database', purpose: 'go on' });
    const answer = await survivor.send(`POST /tasks/${task.id}/complete`, { token });
    expect(answer).toMatchObject({
      body: { state: 'completed' },
    });
  });

  it('after recovery, the audit tells the end of every task that was cut off', async () => {
    const rows = await rowsOf(
      scene.database.adminUrl,
      `SELECT t.id FROM task t WHERE t.state = 'failed'
       AND NOT (SELECT array_agg(type) FROM audit_entry a WHERE a.task_id = t.id)
         @> ARRAY['task.granted', 'task.ending', 'lease.revoking', 'lease.revoked', 'task.ended']`,
    );
    expect(rows).toEqual([]);
  });
});
