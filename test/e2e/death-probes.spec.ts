import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { templateDocument } from '../support/documents.js';
import { everyRow } from '../support/every-row.js';
import { rowsOf } from '../support/rows.js';
import { READ_CASES, starterWith } from '../support/starter.js';
import { type CredentialBody, grant, secretOf, taskIn } from '../support/tasks.js';
import { until } from '../support/until.js';

const AGENT = 'support-agent';
const PROBED = READ_CASES.map((credential) => ({ ...credential, probe: true }));

let mayfly: TestBroker;
beforeAll(async () => {
  const { documents, environment } = await starterWith(
    templateDocument('probed', { credentials: PROBED }),
    templateDocument('unprobed', { credentials: READ_CASES }),
  );
  mayfly = await startTestBroker({ documents, environment });
});
afterAll(() => mayfly.stop());

const agent = () => mayfly.agentToken(AGENT);
const auditor = () => mayfly.personToken('auditor');
const asked = (template: string) => grant(mayfly, agent(), { template, purpose: 'answer a ticket' });

async function credentialOf(id: string): Promise<CredentialBody & { confirmedDeadAt?: string; endedAt?: string }> {
  return taskIn(await mayfly.send(`GET /tasks/${id}`, { token: agent() })).credentials[0]!;
}

async function complete(id: string): Promise<void> {
  expect((await mayfly.send(`POST /tasks/${id}/complete`, { token: agent() })).status).toBe(200);
}

async function itemsOf(path: string): Promise<readonly JsonObject[]> {
  const { status, body } = await mayfly.send(`GET ${path}`, { token: auditor() });
  expect(status).toBe(200);
  return body.items as unknown as readonly JsonObject[];
}

describe('a credential with `probe: true`', () => {
  it('a task shows when the target refused its ended credential, and Mayfly then has no material left', async () => {
    const task = await asked('probed');
    const password = secretOf(task, 'db', 'password');
    expect((await everyRow(mayfly.database.adminUrl)).filter((row) => row.includes(password))).toEqual([]);
    expect(await rowsOf(mayfly.database.adminUrl, MATERIAL)).toEqual([{ kept: true }]);
    await complete(task.id);
    await until('the credential is confirmed dead', 30, async () => {
      return (await credentialOf(task.id)).confirmedDeadAt !== undefined;
    });
    const { confirmedDeadAt, endedAt, state } = await credentialOf(task.id);
    expect(state).toBe('revoked');
    expect(Date.parse(confirmedDeadAt!)).toBeGreaterThanOrEqual(Date.parse(endedAt!));
    expect(await rowsOf(mayfly.database.adminUrl, MATERIAL)).toEqual([{ kept: false }]);
    expect(await itemsOf('/issuances?limit=10')).toMatchObject([{ taskId: task.id, confirmedDeadAt }]);
    const types = (await itemsOf(`/tasks/${task.id}/timeline`)).map(({ type }) => type);
    expect(types.at(-1)).toBe('lease.confirmed-dead');
    const text = await (await fetch(`${mayfly.url}/metrics`)).text();
    expect(text).toContain('mayfly_death_probes_total{provider="postgres",outcome="refused"} 1');
  });

  it('a task of a template without `probe` shows no such instant, and keeps no material', async () => {
    const task = await asked('unprobed');
    await complete(task.id);
    expect((await credentialOf(task.id)).confirmedDeadAt).toBeUndefined();
    expect(await rowsOf(mayfly.database.adminUrl, MATERIAL)).toHaveLength(1);
  });

  it('a template with `probe` on a credential that Mayfly cannot use itself is not published', async () => {
    const spec = templateDocument('tokens').spec as JsonObject;
    const credentials = (spec.credentials as JsonObject[]).map((one) => ({ ...one, probe: true }));
    const document = templateDocument('tokens', { credentials });
    const { status, body } = await mayfly.send('POST /declarations/check', {
      token: mayfly.personToken('platform'),
      body: { documents: [document] },
    });
    expect(status).toBe(200);
    expect(JSON.stringify(body)).toContain('MF311');
  });
});

const MATERIAL = 'SELECT sealed_material IS NOT NULL AS kept FROM death_probe';
