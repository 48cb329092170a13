import { Problem } from '@mayfly/kernel';
import { pino, type DestinationStream, type Logger } from 'pino';
import type { Redaction } from './redaction.js';

export interface LoggerOptions {
  readonly level: string;
  /** redacts each line before it is written */
  readonly redact: Redaction;
  /** The destination of lines; standard output by default. */
  readonly destination?: DestinationStream;
}

/** The logged part of a request: the route's pattern, never its address, headers, query or body. */
interface LoggedRequest {
  readonly method?: string;
  readonly id?: unknown;
  readonly routeOptions?: { readonly url?: string | undefined };
}

/** Members whose name alone suggests a secret, redacted wherever a log call puts them. */
const SECRET_MEMBERS = [
  'authorization',
  'cookie',
  'headers',
  'body',
  'password',
  'secret',
  'token',
  'credential',
  'handle',
];

/**
 * Creates the service's logger. It writes structured lines with only named members of requests and replies, and applies
 * `redact` to each line just before the write (I10).
 */
export function createLogger({ level, redact, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: {
      req: ({ method, id, routeOptions }: LoggedRequest) => ({ id, method, route: routeOptions?.url }),
      res: ({ statusCode }: { readonly statusCode?: number }) => ({ status: statusCode }),
      err: (error: unknown) => loggedError(error),
    },
    redact: {
      paths: SECRET_MEMBERS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
      censor: '[redacted]',
    },
    hooks: { streamWrite: redact },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

/**
 * Returns name, code, message, stack and causes of an error. Omits its other members, where drivers keep parameters. A
 * `Problem` is an answer to a caller, so its stack is omitted, unless it is `internal`.
 */
function loggedError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { message: String(error) };
  const { name, message, stack, cause } = error;
  return {
    type: name,
    ...('code' in error && typeof error.code === 'string' ? { code: error.code } : {}),
    message,
    ...(stack === undefined || isAnswer(error) ? {} : { stack }),
    ...(cause === undefined || depth >= 3 ? {} : { cause: loggedError(cause, depth + 1) }),
  };
}

function isAnswer(error: Error): boolean {
  return error instanceof Problem && error.code !== 'internal';
}
