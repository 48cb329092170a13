/** The target of an HTTP request, decoded once. Routes match this and nothing else. */
export interface RequestTarget {
  /** as sent; methods are case-sensitive (RFC 9110 §9.1) */
  readonly method: string;
  /** the decoded segments of the path; the empty path `/` has none */
  readonly segments: readonly string[];
  /** true when the path ends in `/` and has segments */
  readonly endsInSlash: boolean;
  /** the names of the query, in order; each once */
  readonly queryNames: readonly string[];
}

/** The reason why a target cannot be judged. It quotes nothing of the target. */
export interface TargetFault {
  readonly fault: string;
}

const LONGEST_TARGET = 8_192;
const METHOD = /^[A-Z]{1,32}$/;
/** `pchar` of RFC 3986 §3.3 without `;`, which some servers take for the start of parameters */
const SEGMENT = /^(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-Fa-f]{2})+$/;
/** `query` of RFC 3986 §3.4 without `;`, which some servers take for `&` */
const QUERY = /^(?:[A-Za-z0-9._~!$&'()*+,=:@/?-]|%[0-9A-Fa-f]{2})*$/;
/** A character that another server may take for a separator, for a second encoding or for the end of the text. */
// eslint-disable-next-line no-control-regex -- the control characters are the point
const AMBIGUOUS = /[\u0000-\u001f\u007f-\u009f/\\;?#%]/;

const NOT_ORIGIN = 'the request target is not a path with an optional query (RFC 9112 §3.2.1); send such a target';
const NOT_PLAIN =
  'a segment of the path has a character or an encoding that servers read in different ways; send a plain path';

/**
 * Reads the target of a request that another server will serve. Refuses what two servers may read in different ways,
 * and repairs nothing: the upstream gets the bytes that were judged here. The path is decoded exactly once, as UTF-8.
 */
export function readTarget(method: string, raw: string): RequestTarget | TargetFault {
  if (!METHOD.test(method)) return { fault: 'the method is not 1 to 32 capital letters; send a method of HTTP' };
  if (raw.length > LONGEST_TARGET)
    return { fault: `the request target is over ${String(LONGEST_TARGET)} characters; send a shorter one` };
  if (!raw.startsWith('/')) return { fault: NOT_ORIGIN };
  const mark = raw.indexOf('?');
  const path = readPath(mark === -1 ? raw : raw.slice(0, mark));
  if ('fault' in path) return path;
  const query = readQuery(mark === -1 ? '' : raw.slice(mark + 1));
  return 'fault' in query ? query : { method, ...path, ...query };
}

function readPath(path: string): Pick<RequestTarget, 'segments' | 'endsInSlash'> | TargetFault {
  const parts = path.slice(1).split('/');
  const endsInSlash = parts.length > 1 && parts.at(-1) === '';
  const encoded = endsInSlash || path === '/' ? parts.slice(0, -1) : parts;
  const segments = encoded.map(readSegment);
  return segments.every((segment) => segment !== undefined) ? { segments, endsInSlash } : { fault: NOT_PLAIN };
}

/** Returns undefined for a segment that is empty, a dot segment, not UTF-8, or ambiguous after decoding. */
function readSegment(encoded: string): string | undefined {
  if (!SEGMENT.test(encoded)) return undefined;
  const decoded = decode(encoded);
  if (decoded === undefined || decoded === '.' || decoded === '..' || AMBIGUOUS.test(decoded)) return undefined;
  return decoded;
}

function readQuery(query: string): Pick<RequestTarget, 'queryNames'> | TargetFault {
  if (!QUERY.test(query)) return { fault: 'the query has a character outside of RFC 3986 §3.4; send it encoded' };
  const names = query === '' ? [] : query.split('&').map(nameOf);
  if (names.some((name) => name === undefined || name === ''))
    return { fault: 'the query has a pair without a name, or a name that is not UTF-8; correct the query' };
  const queryNames = names as string[];
  if (new Set(queryNames).size !== queryNames.length)
    return { fault: 'the query has one name twice, which servers read in different ways; send each name once' };
  return { queryNames };
}

function nameOf(pair: string): string | undefined {
  const [name = ''] = pair.split('=', 1);
  return decode(name.replaceAll('+', ' '));
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
