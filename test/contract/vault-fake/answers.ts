import { randomUUID } from 'node:crypto';

/** Answer of a handler; an undefined `body` is empty. */
export interface Answer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

export type Fields = Readonly<Record<string, unknown>>;

export const NO_CONTENT: Answer = { status: 204 };

/** Returns a success: the common envelope with these members. */
export function success(members: Fields): Answer {
  const envelope = {
    request_id: randomUUID(),
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    data: null,
    wrap_info: null,
    warnings: null,
    auth: null,
  };
  return { status: 200, body: { ...envelope, ...members } };
}

export function failure(status: number, ...errors: readonly string[]): Answer {
  return { status, body: { errors } };
}

/** Returns an error in the server's words for errors inside a handler. */
export function wrapped(status: number, text: string): Answer {
  return failure(status, `1 error occurred:\n\t* ${text}\n\n`);
}

export const DEAD_TOKEN = failure(403, 'permission denied');
export const DENIED = wrapped(403, 'permission denied');
export const NOTHING_LISTED = failure(404);

/** Parses seconds from `90`, `"90"` or `"90s"`; throws for other units. */
export function secondsOf(value: unknown): number {
  const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '0';
  const seconds = /^(\d+)s?$/.exec(text)?.[1];
  if (seconds === undefined) throw new Error(`not a number of seconds: ${text}`);
  return Number(seconds);
}

export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
