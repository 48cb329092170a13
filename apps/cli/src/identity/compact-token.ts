import type { JsonObject } from '@mayfly/kernel';
import { z } from 'zod';
import { usageFailure } from '../command-failure.js';

/** Says who calls. The token is asked for at every use, so that one that was replaced meanwhile is the one that is sent. */
export interface IdentityToken {
  /** A compact token. Throws a `CommandFailure` that tells where it was looked for. */
  read(): Promise<string>;
  /** variables that hold it or lead to it: a command that runs under a task does not get them */
  readonly variables: readonly string[];
  /** where it is found: the name of a variable, the path of a file, or the platform that is asked */
  readonly place: string;
}

/** RFC 7515 §7.1: three parts of base64url. */
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]+$/;

/** The token in a text, without the space around it. Throws, without the text, when it is none. */
export function compactToken(text: string, place: string): string {
  const token = text.trim();
  if (!COMPACT.test(token)) throw usageFailure(`${place} holds no identity token`, 'it has to be a compact JWT');
  return token;
}

/** The claims of a compact token, unproven: only the broker checks them. Empty where there are none to read. */
export function claimsOf(token: string): JsonObject {
  const [, payload = ''] = token.split('.');
  try {
    return z.record(z.string(), z.json()).parse(JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')));
  } catch {
    return {};
  }
}
