import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestBroker, type TestBroker } from './broker.js';
import { templateDocument } from './documents.js';
import { rowsOf } from './rows.js';
import { READ_CASES, starterWith } from './starter.js';
import { until } from './until.js';

/** Added to the starter templates: a short one, one with a heartbeat, one with two logins. All read one table. */
const TEMPLATES = [
  templateDocument('brief', { lifetime: { defaultSeconds: 3, maxSeconds: 60 }, credentials: READ_CASES }),
  templateDocument('watched', { heartbeat: { timeoutSeconds: 5 }, credentials: READ_CASES }),
  templateDocument('two-logins', { credentials: ['one', 'two'].map((name) => ({ ...READ_CASES[0], name })) }),
];

export interface TaskRow {
  readonly id: string;
  readonly state: string;
  readonly cause: string | null;
  readonly reason: string | null;
}

/** A broker for commands under a task, with access to its rows. */
export interface ExecScene {
  readonly mayfly: TestBroker;
  /** the demo database, as the superuser of its server */
  readonly targetUrl: string;
  /** parent directory of the command line's private files */
  readonly runtimeDir: string;
  /** environment of the command line, as the support agent */
  readonly environment: Readonly<Record<string, string>>;
  tasksFor(purpose: string): Promise<TaskRow[]>;
  /** Returns the only task with this purpose, after its end. */
  endedTask(purpose: string, seconds?: number): Promise<TaskRow>;
  close(): Promise<void>;
}

export async function openExecScene(): Promise<ExecScene> {
  const { targetUrl, ...starter } = await starterWith(...TEMPLATES);
  const mayfly = await startTestBroker(starter);
  const runtimeDir = mkdtempSync(join(tmpdir(), 'mayfly-runtime-'));
  const tasksFor = (purpose: string): Promise<TaskRow[]> =>
    rowsOf<TaskRow & Record<string, unknown>>(
      mayfly.database.adminUrl,
      'SELECT id, state, end_cause AS cause, end_reason AS reason FROM task WHERE purpose = $1 ORDER BY created_at',
      [purpose],
    );
  return {
    mayfly,
    targetUrl,
    runtimeDir,
    environment: {
      MAYFLY_URL: mayfly.url,
      MAYFLY_TOKEN: mayfly.agentToken('support-agent'),
      XDG_RUNTIME_DIR: runtimeDir,
    },
    tasksFor,
    endedTask: (purpose, seconds = 30) =>
      until(`the task for ${purpose} has ended`, seconds, async () => {
        const [task] = await tasksFor(purpose);
        return task !== undefined && task.state !== 'active' && task;
      }),
    close: async () => {
      rmSync(runtimeDir, { recursive: true, force: true });
      await mayfly.stop();
    },
  };
}

/** Returns the arguments that run a script under a template; the purpose finds the task again. */
export function shellUnder(template: string, purpose: string, script: string, ...more: readonly string[]): string[] {
  return ['exec', '--template', template, '--purpose', purpose, ...more, '--', '/bin/sh', '-c', script];
}
