import type { Task } from '@mayfly/client';
import { accessOf, chosenAccess, type AwsSession } from '@mayfly/sdk';
import { CommandFailure, usageFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';

/** The AWS session of a task, and the name of the credential that it is of. */
export interface NamedSession {
  readonly name: string;
  readonly session: AwsSession;
}

/** Throws a usage failure when the task has no AWS session, `UnusableCredential` when it has several and none is picked. */
export function sessionIn({ credentials, template }: Task, picked: readonly string[]): NamedSession {
  const accesses = credentials.flatMap(({ name, provider, secret, expiresAt, providerExpiresAt }) => {
    const access = accessOf(provider, secret ?? {}, { expiresAt: providerExpiresAt ?? expiresAt });
    return access === undefined ? [] : [{ name, access }];
  });
  const chosen = chosenAccess('aws', accesses, picked);
  if (chosen === undefined) throw usageFailure(`template \`${template.name}\` gives no AWS session`);
  return { name: chosen.name, session: chosen.access.session };
}

/** SDKs refuse a session that has ended by their clock, or use it all the same. Throws a `CommandFailure` that names the clock. */
export function requireAlive({ expiration }: AwsSession, now: Date): void {
  if (Date.parse(expiration) > now.getTime()) return;
  throw new CommandFailure(
    EXIT.no,
    `the session ended at ${expiration}, by the clock of this machine`,
    'set the clock',
  );
}

/** "Sourcing credentials with an external process", AWS SDKs and Tools Reference Guide: these members, version 1. */
export function processCredentials({ accessKeyId, secretAccessKey, sessionToken, expiration }: AwsSession) {
  return {
    Version: 1,
    AccessKeyId: accessKeyId,
    SecretAccessKey: secretAccessKey,
    SessionToken: sessionToken,
    Expiration: expiration,
  };
}
