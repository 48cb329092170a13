import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { Failpoint } from '@mayfly/tasks';
import type { TestAnswer } from './broker.js';
import { FAMILY, PROVIDERS, type BackEndsScene, type ProviderName } from './back-ends-scene.js';
import type { BrokerProcess } from './broker-process.js';
import { grant, type Door, type TaskBody } from './tasks.js';

/** The requests that are under way at the process when it is killed. */
export type Action = 'mint and accept' | 'renew' | 'complete' | 'lockdown' | 'delegate';

/** One kill of one process: an agent of its own has its requests at the step. */
export interface Kill {
  readonly action: Action;
  readonly step: Failpoint;
  /** arrivals at the step, of requests or of leases, that kill the process */
  readonly count: number;
  readonly agent: string;
  /** the order of the requests, and the pauses before them */
  readonly delays?: readonly number[];
}

/** A request to the process that dies, with its answer, if there was one. */
export interface Sent {
  readonly kind: 'mint' | 'accept' | 'renew' | 'complete' | 'lockdown' | 'delegate';
  readonly provider: ProviderName | 'all';
  /** the task that the request is about: one that existed before, or the purpose that finds the one it opens */
  readonly task: { readonly id: string } | { readonly purpose: string };
  readonly route: string;
  readonly body?: unknown;
  readonly key?: string;
  answer?: TestAnswer;
}

export interface Killed {
  readonly kill: Kill;
  /** false: too few arrived, and the process was killed from outside */
  readonly diedThere: boolean;
  readonly sent: readonly Sent[];
}

/**
 * Arrivals of each action at each step. Of the path of `POST /tasks`, eight requests arrive: a task and a child at each
 * back end. The steps without an effect kill at the first. A signed token leaves nothing at a target, so it does not
 * arrive at `activate`; Vault alone tells handles during a mint, and AWS alone records an issue before a renewal.
 */
const COUNTS: Readonly<Record<Action, Partial<Record<Failpoint, number>>>> = {
  'mint and accept': {
    // first, because Vault works 95 s at most on a call whose answer was lost
    ...{ 'record-handle': 2, handle: 2, hold: 8, load: 1, validate: 1, decide: 1, narrow: 1 },
    ...{ plan: 8, consume: 8, open: 8, mint: 8, check: 8, activate: 6, answer: 8, settle: 8, accept: 4 },
  },
  renew: { renew: 4, reissue: 1, 'renew-at-provider': 4, 'record-renewal': 4 },
  complete: { claim: 5, revoke: 12, close: 11 },
  lockdown: { engage: 1, 'end-batch': 1, claim: 1, revoke: 4, close: 4 },
  delegate: { delegate: 4 },
};

/** Returns each kill of the matrix, the slowest to recover first. Each round has agents of its own. */
export function everyKill(round: string): readonly Kill[] {
  return (Object.keys(COUNTS) as Action[]).flatMap((action) =>
    Object.entries(COUNTS[action]).map(([step, count]) => ({
      ...{ action, step: step as Failpoint, count },
      agent: `${round}-${action.replaceAll(' ', '-')}-${step}`,
    })),
  );
}

/** A process that lives on for this time after its last answer was not stopped by its failpoint. */
const LATE_MS = 5_000;

/** Calls processes as the agent of a kill, and as an operator. */
export class CrashScript {
  constructor(
    private readonly scene: BackEndsScene,
    /** the process that prepares tasks, and outlives every kill */
    private readonly front: BrokerProcess,
    private readonly round: string,
  ) {}

  /** Prepares tasks, sends the requests of the action to a process with the failpoint, and waits for its death. */
  async play(kill: Kill): Promise<Killed> {
    const failpoint = { MAYFLY_FAILPOINT: `${kill.step}:${String(kill.count)}`, MAYFLY_WORKER: 'off' };
    const [victim, sent] = await Promise.all([this.scene.start(failpoint), this.prepare(kill)]);
    const answered = sent.map(async (request, place) => {
      await pause(kill.delays?.[place] ?? 0);
      const answer = await this.send(victim, kill, request).catch(() => undefined);
      if (answer !== undefined) request.answer = answer;
    });
    const over = Promise.all(answered).then(() => pause(LATE_MS, 'late' as const));
    const diedThere = (await Promise.race([victim.exited, over])) !== 'late';
    await victim.kill();
    await Promise.all(answered);
    return { kill, diedThere, sent };
  }

  /** Sends a request, or sends it again: the key and the body stay the same. */
  async send(door: Door, { agent }: Kill, { kind, route, body, key }: Sent): Promise<TestAnswer> {
    const operator = kind === 'lockdown';
    const token = operator ? await this.scene.personToken('operator', 'ada') : await this.scene.agentToken(agent);
    return door.send(route, {
      token,
      ...(body === undefined ? {} : { body }),
      ...(key === undefined ? {} : { headers: { 'idempotency-key': key } }),
    });
  }

  private prepare(kill: Kill): Promise<readonly Sent[]> {
    switch (kill.action) {
      case 'mint and accept':
        return this.mints(kill);
      case 'renew':
        return this.renewals(kill);
      case 'complete':
        return this.completions(kill);
      case 'lockdown':
        return this.lockdown(kill);
      case 'delegate':
        return this.delegations(kill);
    }
  }

  private async mints(kill: Kill): Promise<readonly Sent[]> {
    const waiting = await this.handOn(kill, await this.task(kill, FAMILY));
    return PROVIDERS.flatMap((provider, place) => {
      const purpose = this.purpose(kill, `mint ${provider}`);
      const asked = { template: provider, parameters: {}, purpose };
      const child = waiting[place]!;
      return [
        { kind: 'mint', provider, task: { purpose }, route: 'POST /tasks', body: asked, key: randomUUID() },
        { kind: 'accept', provider, task: child, route: `POST /tasks/${child.id}/accept`, key: randomUUID() },
      ];
    });
  }

  private async renewals(kill: Kill): Promise<readonly Sent[]> {
    const tasks = await this.tasks(kill);
    return tasks.map(({ id }, place) => ({
      ...{ kind: 'renew', provider: PROVIDERS[place]!, task: { id } },
      ...{ route: `POST /tasks/${id}/renew`, body: { ttlSeconds: 2400 } },
    }));
  }

  private async completions(kill: Kill): Promise<readonly Sent[]> {
    const [family, tasks] = await Promise.all([this.task(kill, FAMILY), this.tasks(kill)]);
    const children = await this.handOn(kill, family);
    const token = await this.scene.agentToken(kill.agent);
    await Promise.all(children.map(({ id }) => this.must(this.front.send(`POST /tasks/${id}/accept`, { token }))));
    return [family, ...tasks].map(({ id }, place) => ({
      ...{ kind: 'complete', provider: place === 0 ? 'all' : PROVIDERS[place - 1]!, task: { id } },
      route: `POST /tasks/${id}/complete`,
    }));
  }

  private async lockdown(kill: Kill): Promise<readonly Sent[]> {
    const [first] = await this.tasks(kill);
    const body = { scope: { kind: 'agent', name: kill.agent }, reason: 'an incident' };
    return [{ kind: 'lockdown', provider: 'all', task: { id: first!.id }, route: 'POST /lockdowns', body }];
  }

  private async delegations(kill: Kill): Promise<readonly Sent[]> {
    const { id } = await this.task(kill, FAMILY);
    return PROVIDERS.map((provider) => ({
      ...{ kind: 'delegate', provider, task: { id }, route: `POST /tasks/${id}/delegate`, key: randomUUID() },
      body: this.delegation(kill, provider),
    }));
  }

  private tasks(kill: Kill): Promise<readonly TaskBody[]> {
    return Promise.all(PROVIDERS.map((provider) => this.task(kill, provider)));
  }

  private async task(kill: Kill, template: string): Promise<TaskBody> {
    const body = { template, parameters: {}, purpose: this.purpose(kill, `before ${template}`) };
    return grant(this.front, await this.scene.agentToken(kill.agent), body);
  }

  /** Hands a task with each credential on; nobody has taken it up yet. */
  private async handOn(kill: Kill, { id }: TaskBody): Promise<readonly { readonly id: string }[]> {
    const token = await this.scene.agentToken(kill.agent);
    return Promise.all(
      PROVIDERS.map(async (provider) => {
        const call = { token, body: this.delegation(kill, provider) };
        return { id: (await this.must(this.front.send(`POST /tasks/${id}/delegate`, call))).body.id as string };
      }),
    );
  }

  private delegation({ agent, ...kill }: Kill, provider: ProviderName) {
    const purpose = this.purpose({ agent, ...kill }, `child ${provider}`);
    return { agent, template: provider, parameters: {}, purpose };
  }

  private async must(answer: Promise<TestAnswer>): Promise<TestAnswer> {
    const { status, body } = await answer;
    if (status >= 300) throw new Error(`${String(status)}: ${JSON.stringify(body)}`);
    return answer;
  }

  /** Returns a purpose that only one request has: `once …`. */
  private purpose({ action, step }: Kill, what: string): string {
    return `once ${this.round}: ${action} ${step}: ${what}`;
  }
}
