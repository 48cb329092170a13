import { Problem } from '@mayfly/kernel';
import { pino, type DestinationStream, type Logger } from 'pino';
import type { Redaction } from './redaction.js';

export interface LoggerOptions {
  readonly level: string;
  /** the net that is cast over each line */
  readonly redact: Redaction;
  /** Where lines go; standard output when it is left out. */
  readonly destination?: DestinationStream;
}

/** What is logged of a request: the route's pattern rather than its address, never headers, query or body. */
interface LoggedRequest {
  readonly method?: string;
  readonly id?: unknown;
  readonly routeOptions?: { readonly url?: string | undefined };
}

/** Members that may hold a secret by their name alone, wherever a log call puts them. */
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
 * The service's logger: structured lines, of which only named members of requests and replies are taken, and over each
 * of which the net of `redact` is cast just before it is written (I10).
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
 * Name, code, message, stack and causes of an error. Its other members are left out: drivers keep parameters there. A
 * problem is an answer, so its stack says nothing, unless it is a fault of ours.
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
