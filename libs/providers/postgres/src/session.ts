import type { ClientBase } from 'pg';

/** What is sent to the server over one connection. */
export type Session = Pick<ClientBase, 'query'>;
