import type { Pool } from 'pg';

/** The parts of the queue above which the watch warns, and reports an error. */
const WARN_AT = 0.1;
const ALARM_AT = 0.5;

/** Port: the log of the service. */
export interface WatchLog {
  /** Writes a line of the level `warn` with these facts. */
  warn(facts: object, text: string): void;
  /** Writes a line of the level `error` with these facts. */
  error(facts: object, text: string): void;
}

/**
 * Watches the notification queue of the PostgreSQL server. A session that listens in an open transaction fills it; then
 * every NOTIFY of the server fails (SQLSTATE 54000), those of the job queue too. Mayfly needs no notification. Asking
 * for the usage also makes the server clear what no listener needs any more.
 */
export class NotifyQueueWatch {
  private last: number | undefined;

  constructor(
    private readonly pool: Pick<Pool, 'query'>,
    private readonly log: WatchLog,
  ) {}

  /** The part of the queue that was in use at the last look, from 0 to 1; undefined before the first one. */
  get usage(): number | undefined {
    return this.last;
  }

  /** Looks once. Logs a warning from 0.1 on, and an error from 0.5 on. Rejects when the database does not answer. */
  async round(): Promise<void> {
    this.last = undefined;
    const { rows } = await this.pool.query<{ usage: number }>({
      name: 'notify-queue',
      text: 'SELECT pg_notification_queue_usage() AS usage',
    });
    const usage = (this.last = Number(rows[0]?.usage));
    if (usage < WARN_AT) return;
    const text =
      'the notification queue of PostgreSQL fills: end the session that listens in an open transaction (pg_stat_activity)';
    if (usage >= ALARM_AT) this.log.error({ usage }, text);
    else this.log.warn({ usage }, text);
  }
}
