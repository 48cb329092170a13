import type { Task } from '@mayfly/client';
import { accessOf, chosenAccess, type AwsSession } from '@mayfly/sdk';
import { CommandFailure, usageFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';

/** The AWS session of a task, and its credential's name. */
export interface NamedSession {
  readonly name: string;
  readonly session: AwsSession;
}

/** Returns a task's AWS session. Throws a usage failure without one, `UnusableCredential` when several match. */
export function sessionIn({ credentials, template }: Task, picked: readonly string[]): NamedSession {
  const accesses = credentials.flatMap(({ name, provider, secret, expiresAt, providerExpiresAt }) => {
    const access = accessOf(provider, secret ?? {}, { expiresAt: providerExpiresAt ?? expiresAt });
    return access === undefined ? [] : [{ name, access }];
  });
  const chosen = chosenAccess('aws', accesses, picked);
  if (chosen === undefined) throw usageFailure(`template \`${template.name}\` gives no AWS session`);
  return { name: chosen.name, session: chosen.access.session };
}

/**
 * Throws a `CommandFailure` for a session that has ended by the local clock: an SDK would refuse it, or fail with it.
 */
export function requireAlive({ expiration }: AwsSession, now: Date): void {
  if (Date.parse(expiration) > now.getTime()) return;
  throw new CommandFailure(
    EXIT.no,
    `by the clock of this machine, the session ended at ${expiration}`,
    'set the clock of this machine',
  );
}

/** Returns the members of version 1 ("Sourcing credentials with an external process", AWS SDKs and Tools Reference). */
export function processCredentials({ accessKeyId, secretAccessKey, sessionToken, expiration }: AwsSession) {
  return {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration,
  };
}
