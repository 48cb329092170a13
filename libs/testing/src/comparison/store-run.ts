import type { KeyHold, TaskIntent } from '@mayfly/issuance';
import type { LeaseClaim } from '@mayfly/revocation';
import type { AgentId, TaskId } from '@mayfly/kernel';
import type { Task } from '@mayfly/tasks';
import type { RequestStores } from '../task-stores.js';
import type { StoreCall } from './story-reader.js';

/** Ends the tasks of an agent as its suspension does, without a claim. */
export type EndOfAgent = (agentId: AgentId, taskIds: readonly TaskId[]) => Promise<void>;

/** The answer of a call, without what differs between stores by nature, such as the text of a hold's instant. */
export interface StoreAnswer {
  readonly answer: unknown;
  readonly claims: readonly LeaseClaim[];
  readonly isHeld: boolean;
}

type CallOf<Do extends StoreCall['do']> = StoreCall & { readonly do: Do };

/** Makes the calls of a story on one set of stores. */
export class StoreRun {
  private readonly holds: KeyHold[] = [];

  constructor(
    private readonly stores: RequestStores,
    private readonly endOfAgent: EndOfAgent,
  ) {}

  async does(call: StoreCall): Promise<StoreAnswer> {
    const make = this.calls[call.do] as (call: StoreCall) => Promise<StoreAnswer>;
    return make(call);
  }

  /** Returns the rows of these tasks, their scopes and their audit entries. */
  async rows(intents: readonly TaskIntent[]): Promise<unknown> {
    const { scene, issuance } = this.stores;
    const scopes = new Map(intents.map(({ quota }) => [quota.scope, quota.limits]));
    const quotas = [...scopes].map(async ([scope, limits]) => {
      return [scope, await scene.runningTasks(scope), await issuance.quotaLeft(scope, limits)];
    });
    return {
      tasks: await Promise.all(intents.map((intent) => this.rowsOf(intent))),
      quotas: await Promise.all(quotas),
      entries: (await scene.auditBodies()).map(withoutId).sort(),
    };
  }

  private async rowsOf({ task, leases }: TaskIntent): Promise<unknown> {
    const { scene, tasks } = this.stores;
    const found = await tasks.find(task.id);
    return {
      task: found === undefined ? undefined : ownMembers(found),
      liveLeases: (await scene.task(task.id))?.liveLeases,
      leases: (await scene.leases(task.id)).toSorted((one, other) => one.id.localeCompare(other.id)),
      entries: await scene.auditTypes(task.id),
      wakeUps: await Promise.all(leases.map(({ id }) => scene.wakeUps(id))),
    };
  }

  private readonly calls: { readonly [Do in StoreCall['do']]: (call: CallOf<Do>) => Promise<StoreAnswer> } = {
    open: ({ requests }) =>
      answered(requests.map(({ intent, hold }) => this.stores.issuance.open(this.withHold(intent, hold)))),
    activate: ({ activations }) => answered(activations.map((one) => this.stores.issuance.activate(one))),
    end: ({ requests }) => claimed(requests.map((request) => this.stores.closing.requestEnd(request))),
    claim: ({ options }) => claimed([this.stores.closing.claimDue(options)]),
    record: ({ results, inOneCall }) =>
      answered((inOneCall ? [results] : results.map((one) => [one])).map((some) => this.stores.closing.record(some))),
    renew: ({ renewal }) => answered([this.stores.tasks.renew(renewal)]),
    heartbeat: ({ taskId, at, dueAt }) => answered([this.stores.tasks.heartbeat(taskId, at, dueAt)]),
    reissue: ({ leaseId, at }) => answered([this.stores.tasks.reissuing(leaseId, at)]),
    'renewed at provider': ({ leaseId, at }) => answered([this.stores.tasks.renewedAtProvider(leaseId, at)]),
    'record handle': ({ leaseId, handle }) => answered([this.stores.issuance.recordHandle(leaseId, handle)]),
    wait: ({ seconds }) => answered([this.stores.scene.advance(seconds)]),
    'suspend agent': ({ agentId, taskIds }) =>
      answered([this.stores.scene.setAgent(agentId, 'suspended').then(() => this.endOfAgent(agentId, taskIds))]),
    'activate agent': ({ agentId }) => answered([this.stores.scene.setAgent(agentId, 'active')]),
    'set template': ({ name, version }) => answered([this.stores.scene.setTemplate(name, version)]),
    'disable connection': ({ connection }) => answered([this.stores.scene.disableConnection(connection)]),
    'hold key': (call) => this.holdKey(call),
    'settle key': ({ hold, taskId, until }) =>
      answered([this.stores.keyHolds.settle(this.hold(hold), taskId, Buffer.from('answer'), until)]),
    'release key': ({ hold }) => answered([this.stores.keyHolds.release(this.hold(hold))]),
    'use token': ({ issuer, jti }) =>
      answered([this.stores.identityUses.consume(issuer, jti, this.stores.scene.clock.now())]),
    'give token back': ({ issuer, jti }) => answered([this.stores.identityUses.giveBack(issuer, jti)]),
  };

  private async holdKey({ owner, key, body }: CallOf<'hold key'>): Promise<StoreAnswer> {
    // Two holds never have one instant: the database reads its clock in microseconds.
    await this.stores.scene.advance(0.001);
    const held = await this.stores.keyHolds.hold(owner, key, body);
    if (!('heldAt' in held)) return answered([Promise.resolve(held)]);
    this.holds.push(held);
    return { answer: 'held', claims: [], isHeld: true };
  }

  private withHold(intent: TaskIntent, hold: number | undefined): TaskIntent {
    return hold === undefined ? intent : { ...intent, keyHold: this.hold(hold) };
  }

  private hold(place: number): KeyHold {
    return this.holds[place]!;
  }
}

async function answered(answers: readonly Promise<unknown>[]): Promise<StoreAnswer> {
  return { answer: await Promise.all(answers), claims: [], isHeld: false };
}

async function claimed(groups: readonly Promise<readonly LeaseClaim[]>[]): Promise<StoreAnswer> {
  const claims = (await Promise.all(groups)).flat().sort((one, other) => one.id.localeCompare(other.id));
  const answer = claims.map(({ sealedHandle, ...claim }) => ({ ...claim, handle: String(sealedHandle) }));
  return { answer, claims, isHeld: false };
}

function ownMembers({ leases: _, ...task }: Task & { readonly leases: unknown }): Task {
  return task;
}

function withoutId(body: string): string {
  return JSON.stringify({ ...(JSON.parse(body) as object), id: '' });
}
