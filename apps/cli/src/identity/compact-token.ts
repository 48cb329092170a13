import type { JsonObject } from '@mayfly/kernel';
import { z } from 'zod';
import { usageFailure } from '../command-failure.js';

/** Source of the identity token. It is read at every use, so the current token is sent. */
export interface IdentityToken {
  /** Reads a compact token. Throws a `CommandFailure` that names the source. */
  read(): Promise<string>;
  /** variables that hold the token or lead to it; commands under a task do not get them */
  readonly variables: readonly string[];
  /** the source: a variable's name, a file's path, or a platform's name */
  readonly place: string;
}

/** RFC 7515 §7.1: three base64url parts. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** Returns the trimmed token. Throws a usage failure, without the text, when it is not a compact JWT. */
export function compactToken(text: string, place: string): string {
  const token = text.trim();
  if (!COMPACT.test(token)) throw usageFailure(`${place} holds no identity token`, 'it has to be a compact JWT');
  return token;
}

/** Returns the unverified claims of a compact token; only the broker verifies them. Empty when unreadable. */
export function claimsOf(token: string): JsonObject {
  const [, payload = ''] = token.split('.');
  try {
    return z.record(z.string(), z.json()).parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  } catch {
    return {};
  }
}
