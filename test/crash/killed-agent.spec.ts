import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { startCli } from '../support/cli.js';
import { type ExecScene, openExecScene, shellUnder } from '../support/exec-scene.js';
import { rowsOf } from '../support/rows.js';
import { openTransaction, roleOf } from '../support/target.js';
import { until } from '../support/until.js';

/** The template `watched` asks for a heartbeat within this time. */
const HEARTBEAT_MS = 5_000;
/** The session must be dead a second after the missed heartbeat. */
const BOUND_MS = HEARTBEAT_MS + 1_000;
/** Added to the bound for the assertion, since the machine of the test is busy. The time itself is printed. */
const BUSY_MS = 15_000;

let scene: ExecScene;
beforeAll(async () => {
  scene = await openExecScene();
});
afterAll(() => scene.close());

it('an agent that is killed with SIGKILL loses its open database session when its heartbeat is missed', async () => {
  const purpose = 'killed in the middle';
  const cli = startCli(
    scene.environment,
    ...shellUnder('watched', purpose, 'echo $PGUSER $MAYFLY_DB_PASSWORD; exec sleep 300'),
  );
  await until('the command runs', 30, async () => cli.output().includes('\n'));
  const [task] = await scene.tasksFor(purpose);
  const [lease] = await rowsOf<{ id: string }>(
    scene.mayfly.database.adminUrl,
    `SELECT id FROM lease WHERE task_id = $1 AND provider = 'postgres'`,
    [task!.id],
  );
  const role = roleOf(lease!.id);
  // A tool of the agent that outlives it: the kernel closes the sockets of a killed process, so it would end its own session.
  const url = new URL(scene.targetUrl);
  const [user = '', password = ''] = cli.output().trim().split(' ');
  [url.username, url.password] = [user, password];
  const session = await openTransaction(url.href);
  const sessionsAtTarget = () =>
    rowsOf(scene.targetUrl, 'SELECT FROM pg_stat_activity WHERE usename = $1 AND state IS NOT NULL', [role]);
  expect(await sessionsAtTarget()).toHaveLength(1);
  const killedAt = performance.now();
  cli.child.kill('SIGKILL');
  const endedAt = await session.ended;
  expect(await sessionsAtTarget()).toEqual([]);
  const took = endedAt - killedAt;
  const bound = `${String(BOUND_MS)} ms are the bound`;
  console.log(`the session of a killed agent was dead at the target after ${took.toFixed(0)} ms; ${bound}`);
  expect(took).toBeLessThan(BOUND_MS + BUSY_MS);
  expect(await scene.endedTask(purpose)).toMatchObject({ state: 'revoked', cause: 'heartbeat_lost' });
}, 90_000);
