import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import {
  type EndOfAgent,
  FakeTaskStores,
  type RequestStores,
  StoreRun,
  storeStories,
  type StoreStory,
  StoryReader,
  TaskDatabase,
} from '@mayfly/testing';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { Database } from './database/database.js';
import { requestStoresOn, suspensionOf } from './request-stores.fixture.js';
import { TaskEndings } from './tasks/task-endings.js';
import { type PgClosingStore } from './tasks/closing.store.js';

/** The tasks of an agent that one transaction ends; a story has more. */
const BATCH = 2;

describe('the stores on PostgreSQL', () => {
  let scene: TaskDatabase;
  let database: Database;
  let real: RequestStores & { readonly closing: PgClosingStore };

  beforeAll(async () => {
    scene = await TaskDatabase.start();
    database = new Database({ url: scene.url, searchPath: scene.searchPath, onConnectionLost: () => undefined });
    real = requestStoresOn(scene, database.pool);
  });

  afterAll(async () => {
    await database.close();
    await scene.stop();
  });

  /** A failure prints the seed and the shortest story that was found; `{ seed, path }` as options repeat it. */
  it('the stores on PostgreSQL answer as the fakes do, and write the same rows and audit entries, in any story', async () => {
    await fc.assert(fc.asyncProperty(storeStories, tell), { numRuns: 40, interruptAfterTimeLimit: 45_000 });
  });

  /** Makes each call of the story on both, and compares the answers; in the end, the rows. */
  async function tell(story: StoreStory): Promise<void> {
    const fake = new FakeTaskStores();
    const reader = new StoryReader(story, fake.scene.clock);
    await scene.empty();
    await scene.freeze(fake.scene.clock.now());
    const runs = [new StoreRun(real, endOfAgent(database.pool)), new StoreRun(fake, endOfFakeAgent(fake))] as const;
    for (const { scene: each } of [real, fake]) await declare(each, reader);
    for (const step of story.steps) {
      const call = reader.callOf(step);
      if (call === undefined) continue;
      const [answer, expected] = [await runs[0].does(call), await runs[1].does(call)];
      expect({ step, answer: answer.answer }).toEqual({ step, answer: expected.answer });
      reader.note(call, expected);
    }
    expect(await runs[0].rows(reader.intents)).toEqual(await runs[1].rows(reader.intents));
  }

  async function declare(each: RequestStores['scene'], { agents, templates }: StoryReader): Promise<void> {
    for (const id of agents.slice(0, 2)) await each.setAgent(id, 'active');
    for (const name of templates.slice(0, 2)) await each.setTemplate(name, 1);
  }

  function endOfAgent(pool: Pool): EndOfAgent {
    const endings = new TaskEndings(pool, real.closing, BATCH);
    return async (agentId) => {
      const client = await pool.connect();
      await endings.request(client, suspensionOf(agentId));
      client.release();
      await endings.finish(agentId);
    };
  }
});

/** Ends the tasks whose end is not recorded yet, as the endings on PostgreSQL do. */
function endOfFakeAgent({ closing, scene }: FakeTaskStores): EndOfAgent {
  return (_, taskIds) => {
    const running = taskIds.filter((taskId) => scene.tasks.get(taskId)?.endCause === undefined);
    return closing.endUnclaimed(running.map((taskId) => ({ taskId, cause: 'agent_suspended', actor: MAYFLY })));
  };
}
