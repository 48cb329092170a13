import type { Command } from 'commander';
import type { TaskAnswer } from './broker/answers.js';
import { usageFailure } from './command-failure.js';
import type { GlobalOptions } from './config.js';
import { accessOf } from './environment/access-by-provider.js';
import { chosenAccess } from './environment/chosen-access.js';
import type { AwsSession } from './environment/tool-access.js';
import { openSession } from './session.js';
import { taskRequest, withTaskOptions, type TaskOptions } from './task-options.js';

/** `mayfly aws-credentials`: what an AWS profile names as its `credential_process`. */
export function addAwsCredentialsCommand(program: Command): void {
  withTaskOptions(
    program
      .command('aws-credentials')
      .description('print an AWS session for `credential_process`; each call is a task that ends at its deadline'),
  ).action(async (_options: unknown, self: Command) => {
    await print(self.optsWithGlobals<TaskOptions & GlobalOptions>());
  });
}

async function print(options: TaskOptions & GlobalOptions): Promise<void> {
  const { tasks, notices } = openSession(options);
  const { task } = await tasks.request(taskRequest(options, 'credentials of an AWS profile'));
  try {
    if (task.heartbeatAt !== undefined) {
      notices.warn(`template \`${options.template}\` asks for signs of life, which a credential process cannot give`);
    }
    process.stdout.write(`${JSON.stringify(processCredentials(sessionIn(task, options.credential)))}\n`);
  } catch (error) {
    await tasks.end(task.id, 'the credential process could not use it').catch(() => undefined);
    throw error;
  }
}

/** The AWS session of a task. Throws a usage failure when it has none, or several and none is picked. */
export function sessionIn({ credentials, template }: TaskAnswer, picked: readonly string[]): AwsSession {
  const accesses = credentials.flatMap(({ name, provider, secret, expiresAt, providerExpiresAt }) => {
    const access = accessOf(provider, secret ?? {}, { expiresAt: providerExpiresAt ?? expiresAt });
    return access === undefined ? [] : [{ name, access }];
  });
  const chosen = chosenAccess('aws', accesses, picked);
  if (chosen === undefined) throw usageFailure(`template \`${template.name}\` gives no AWS session`);
  return chosen.access.session;
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
