import type { RecordMove } from '@mayfly/declarations';
import { Problem } from '@mayfly/kernel';
import type { ClientBase } from 'pg';
import { insertAudit } from '../audit/audit-rows.js';

const MOVE: Readonly<Record<RecordMove['kind'], string>> = {
  Agent: `UPDATE public.agent SET state = $2, revision = revision + 1, updated_at = moment.at, updated_by = $3
    FROM (SELECT now() AS at) AS moment WHERE name = $1`,
  Connection: `UPDATE public.connection SET state = $2, revision = revision + 1, updated_at = moment.at, updated_by = $3
    FROM (SELECT now() AS at) AS moment WHERE name = $1`,
};

/**
 * Takes an approved step, in the caller's transaction, which holds the row. Throws `unavailable` while earlier tasks of
 * the agent are being ended.
 */
export async function moveRecord(client: ClientBase, { kind, name, to, by, entry }: RecordMove): Promise<void> {
  if (kind === 'Agent' && (await isEnding(client, name))) {
    const detail = `agent \`${name}\` cannot be activated while its earlier tasks are being ended; try again`;
    throw new Problem('unavailable', detail, { retryAfterSeconds: 1 });
  }
  await client.query(MOVE[kind], [name, to, by.name]);
  await insertAudit(client, [entry]);
}

async function isEnding(client: ClientBase, name: string): Promise<boolean> {
  const text = 'SELECT FROM public.task_ending e JOIN public.agent a ON a.id = e.id WHERE a.name = $1';
  return (await client.query(text, [name])).rowCount !== 0;
}
