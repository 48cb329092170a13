import type { ClientBase } from 'pg';

/** One connection to the server, for queries only. */
export type Session = Pick<ClientBase, 'query'>;
