import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestAnswer, type TestBroker } from '../support/broker.js';
import { CASES, COUNTED_DOCUMENTS } from '../support/counted-documents.js';
import { giveBack } from '../support/give-back.js';
import { starterWith } from '../support/starter.js';
import { grant } from '../support/tasks.js';

let mayfly: TestBroker;
beforeAll(async () => {
  const { documents, environment } = await starterWith(...COUNTED_DOCUMENTS);
  mayfly = await startTestBroker({ documents, environment });
});
afterAll(async () => {
  await giveBack(mayfly);
  await mayfly.stop();
});

const asked = { parameters: {}, purpose: 'answer ticket 4711' };
const read = { operation: 'cases.read', target: CASES };
const text = (id: unknown): string => id as string;
const authorize = (body: unknown): Promise<TestAnswer> =>
  mayfly.send('POST /authorize', { token: mayfly.agentToken('resource-server/cases'), body });
const stateOf = async (id: string): Promise<JsonObject> =>
  (await mayfly.send(`GET /tasks/${id}`, { token: mayfly.personToken('auditor') })).body;

describe('uses that are handed on', () => {
  it('uses of a child are no more than its delegation leaves it; the one over them ends the child alone', async () => {
    const parent = await grant(mayfly, mayfly.agentToken('searcher'), { ...asked, template: 'parent' });
    const body = { ...asked, agent: 'analyst', template: 'free-child', uses: 2 };
    const route = `POST /tasks/${parent.id}/delegate`;
    const handed = await mayfly.send(route, { token: mayfly.agentToken('searcher'), body });
    expect(handed.body).toMatchObject({ state: 'pending_acceptance', uses: 2 });
    const accept = `POST /tasks/${text(handed.body.id)}/accept`;
    const taken = await mayfly.send(accept, { token: mayfly.agentToken('analyst') });
    const token = (taken.body.taskToken as JsonObject).value;
    const { body: answer } = await authorize({ evaluations: [1, 2, 3].map(() => ({ token, ...read })) });
    const decisions = answer.evaluations as readonly JsonObject[];
    expect(decisions.map(({ decision }) => decision)).toEqual([true, true, false]);
    expect(await stateOf(text(handed.body.id))).toMatchObject({ endCause: 'uses_exhausted' });
    expect(await stateOf(parent.id)).toMatchObject({ state: 'active' });
    expect((await authorize({ token: parent.taskToken?.value, ...read })).body).toMatchObject({
      uses: { limit: 4, left: 1 },
    });
    for (const uses of [0, -1, 1.5, {}, { calls: -1 }, 1e15])
      expect((await mayfly.send(route, { token: mayfly.agentToken('searcher'), body: { ...body, uses } })).status).toBe(
        400,
      );
  });
});
