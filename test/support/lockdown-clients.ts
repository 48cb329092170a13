import { setTimeout as pause } from 'node:timers/promises';
import type { TestAnswer } from './broker.js';
import type { BrokerProcess } from './broker-process.js';
import { type Ground, type LockdownScene, VICTIM } from './lockdown-scene.js';
import { secretOf, taskIn } from './tasks.js';

/** A request for a task, or for the renewal of one, with its answer if there was one. Times in milliseconds. */
export interface Call {
  readonly ground: string;
  /** the place of the replica; `dying` for the process with the failpoint */
  readonly replica: number | 'dying';
  readonly sentAt: number;
  readonly arrivedAt: number;
  readonly answer: TestAnswer | undefined;
}

export function isDenied({ answer }: Pick<Call, 'answer'>): boolean {
  return answer?.status === 403 && answer.body.control === 'lockdown';
}

/** The replica cannot decide, or its caller gets no answer. */
export function isUnable({ answer }: Pick<Call, 'answer'>): boolean {
  return answer === undefined || answer.status === 503;
}

export function isDelivered({ answer }: Pick<Call, 'answer'>): boolean {
  return answer?.status === 201 || answer?.status === 200;
}

/** True when the call's replica need not deny with the lockdown: it is cut off, or it dies. */
export function mayBeUnable({ replica }: Call): boolean {
  return replica === VICTIM || replica === 'dying';
}

/** The clients of one ground: one at each replica, which asks for tasks and renewals without end. */
export class Clients {
  readonly calls: Call[] = [];
  private isOver = false;
  private readonly loops: Promise<void>[];
  /** the latest task that was granted, to be renewed */
  private running: string | undefined;

  constructor(
    private readonly scene: LockdownScene,
    readonly ground: Ground,
    private readonly pauseMs: number,
    dying: BrokerProcess | undefined,
  ) {
    this.loops = scene.replicas.map((replica, place) => this.loop(replica, place));
    if (dying !== undefined) this.loops.push(this.loop(dying, 'dying'));
  }

  /** True when every replica that lives has delivered something. */
  get isGranted(): boolean {
    return this.scene.replicas.every((_, place) =>
      this.calls.some((call) => call.replica === place && isDelivered(call)),
    );
  }

  async stop(): Promise<readonly Call[]> {
    this.isOver = true;
    await Promise.all(this.loops);
    return this.calls;
  }

  /** Asks a replica for a task once. */
  async ask(replica: BrokerProcess, place: Call['replica'], route = 'POST /tasks'): Promise<Call> {
    const { name } = this.ground;
    const token = await this.scene.agentToken(name);
    const body = route === 'POST /tasks' ? { template: name, parameters: {}, purpose: 'work on' } : { ttlSeconds: 400 };
    const sentAt = performance.now();
    const answer = await replica.send(route, { token, body }).catch(() => undefined);
    const call = { ground: name, replica: place, sentAt, arrivedAt: performance.now(), answer };
    if (answer?.status === 201) this.running = taskIn(answer).id;
    return call;
  }

  private async loop(replica: BrokerProcess, place: Call['replica']): Promise<void> {
    for (let turn = 0; !this.isOver; turn += 1) {
      const route = turn % 3 === 2 && this.running !== undefined ? `POST /tasks/${this.running}/renew` : undefined;
      const call = await this.ask(replica, place, route);
      this.calls.push(call);
      // A process that has died answers nothing ever again.
      if (place === 'dying' && call.answer === undefined) return;
      await pause(this.pauseMs);
    }
  }
}

/** Returns the access tokens that were delivered in answers. */
export function tokensIn(calls: readonly Call[]): readonly string[] {
  return calls.flatMap(({ answer }) => (answer?.status === 201 ? [secretOf(taskIn(answer), 'api', 'token')] : []));
}
