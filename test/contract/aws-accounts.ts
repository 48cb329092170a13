import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { ACCOUNT } from './aws-fake/account.js';
import { AwsFake } from './aws-fake/aws-fake.js';
import type { AwsAccount } from './aws-target.js';
import { rgwAbsence, startRgw } from './rgw-server.js';

export interface RunningAccount {
  readonly aws: AwsAccount;
  /** Holds every call without an answer: `reached` resolves when one is held, `release` ends the hold. */
  readonly freeze: () => Promise<{ reached(): Promise<void>; release(): Promise<void> }>;
  readonly stop: () => Promise<void>;
}

export type StartAccount = () => Promise<RunningAccount>;

const absence = rgwAbsence();
if (absence !== undefined) console.warn(`SKIPPED SUITE AWS sessions on Ceph's gateway: ${absence}`);

const REAL_ENGINE: readonly (readonly [name: string, start: StartAccount])[] =
  absence === undefined ? [["Ceph's gateway", startRgwAccount]] : [];

/** The AWS substitutes on this machine: the fake and, if installed, a real engine. */
export const AWS_ACCOUNTS = [['the enforcing fake', startFakeAccount] as const, ...REAL_ENGINE];

async function startFakeAccount(): Promise<RunningAccount> {
  const fake = await AwsFake.start();
  return { aws: accountOf(fake), freeze: async () => fake.freeze(), stop: () => fake.stop() };
}

/** Returns the fake as an account for providers. */
export function accountOf(fake: AwsFake): AwsAccount {
  const { accessKeyId, secretAccessKey, arn } = fake.admin;
  const clock = { now: () => new Date() };
  return {
    name: 'the enforcing fake',
    endpoint: fake.endpoint,
    accessKeyId,
    secretAccessKey,
    user: arn,
    account: ACCOUNT,
    clock,
  };
}

async function startRgwAccount(): Promise<RunningAccount> {
  const { endpoint, accessKeyId, secretAccessKey, user, pid } = await startRgw();
  const clock = { now: () => new Date() };
  return {
    aws: { name: "Ceph's gateway", endpoint, accessKeyId, secretAccessKey, user, account: '', clock },
    freeze: async () => {
      process.kill(pid, 'SIGSTOP');
      const reached = async (): Promise<void> => {
        while (!/^State:\tT/m.test(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))) await pause(5);
        // A frozen process cannot confirm a call; it is enough that the call is sent.
        await pause(50);
      };
      return {
        reached,
        release: async () => {
          process.kill(pid, 'SIGCONT');
        },
      };
    },
    stop: async () => undefined,
  };
}
