import { type Actor, MAYFLY } from '@mayfly/audit';
import type { KeyOwner, Renewal, TaskActivation, TaskIntent } from '@mayfly/issuance';
import type { ClosingResult, ClosingStore, LeaseClaim } from '@mayfly/revocation';
import type { EndRequest } from '@mayfly/tasks';
import { addSeconds, type AgentId, type Clock, type LeaseId, newId, type TaskId } from '@mayfly/kernel';
import { bareEntry } from '../bare-entry.js';
import { activationOf, taskIntent } from '../builders.js';
import type { EndPlan, OpenPlan, ResultPlan, StoreStep, StoreStory } from './store-steps.js';

/** A step with its ids, instants and audit entries, so that every store gets the same. */
export type StoreCall =
  | { readonly do: 'open'; readonly requests: readonly { readonly intent: TaskIntent; readonly hold?: number }[] }
  | { readonly do: 'activate'; readonly activations: readonly TaskActivation[] }
  | { readonly do: 'end'; readonly requests: readonly EndRequest[] }
  | { readonly do: 'claim'; readonly options: Parameters<ClosingStore['claimDue']>[0] }
  | { readonly do: 'record'; readonly results: readonly ClosingResult[]; readonly inOneCall: boolean }
  | { readonly do: 'renew'; readonly renewal: Renewal }
  | { readonly do: 'heartbeat'; readonly taskId: TaskId; readonly at: Date; readonly dueAt: Date }
  | { readonly do: 'reissue' | 'renewed at provider'; readonly leaseId: LeaseId; readonly at: Date }
  | { readonly do: 'record handle'; readonly leaseId: LeaseId; readonly handle: Buffer }
  | { readonly do: 'suspend agent' | 'activate agent'; readonly agentId: AgentId; readonly taskIds: readonly TaskId[] }
  | { readonly do: 'set template'; readonly name: string; readonly version: number | undefined }
  | { readonly do: 'hold key'; readonly owner: KeyOwner; readonly key: string; readonly body: string }
  | { readonly do: 'settle key'; readonly hold: number; readonly taskId: TaskId; readonly until: Date }
  | { readonly do: 'release key'; readonly hold: number }
  | Extract<StoreStep, { readonly do: 'wait' | 'disable connection' | 'use token' | 'give token back' }>;

type StepOf<Do extends StoreStep['do']> = StoreStep & { readonly do: Do };

const ACTOR: Actor = { kind: 'person', issuer: 'staff', subject: 'one-operator' };
const TEMPLATES = ['read-cases', 'write-cases', 'undeclared'];
const AMPLE = { tasksPerMinute: 1_000, concurrentTasks: 1_000 };

/** Reads the steps of a story as calls. Knows the tasks, claims and holds of earlier calls. */
export class StoryReader {
  /** the agents of the story; nobody declares the last one */
  readonly agents = [newId('agt'), newId('agt'), newId('agt')] as const;
  readonly templates = TEMPLATES;
  readonly intents: TaskIntent[] = [];
  private readonly claims: LeaseClaim[] = [];
  private holds = 0;

  constructor(
    private readonly story: StoreStory,
    private readonly clock: Clock,
  ) {}

  /** Returns undefined for a step that needs a task, claim or hold when there is none. */
  callOf(step: StoreStep): StoreCall | undefined {
    const make = this.calls[step.do] as (step: StoreStep) => StoreCall | undefined;
    return make(step);
  }

  /** Notes what a call returned, for later steps. */
  note(
    call: StoreCall,
    { claims, isHeld }: { readonly claims: readonly LeaseClaim[]; readonly isHeld: boolean },
  ): void {
    this.claims.push(...claims);
    if (isHeld) this.holds += 1;
    if (call.do === 'open') this.intents.push(...call.requests.map(({ intent }) => intent));
  }

  private readonly calls: { readonly [Do in StoreStep['do']]: (step: StepOf<Do>) => StoreCall | undefined } = {
    open: (step) => ({ do: 'open', requests: eachHoldOnce(step.requests.map((plan) => this.request(plan))) }),
    activate: (step) => this.ifAny(this.intents, () => ({ do: 'activate', activations: this.activations(step.tasks) })),
    end: (step) => this.ifAny(this.intents, () => ({ do: 'end', requests: this.ends(step.requests) })),
    'claim due': ({ busy }) => ({ do: 'claim', options: { limit: 100, ...BUSY[busy] } }),
    'claim lease': (step) => this.ofLease(step, (leaseId) => ({ do: 'claim', options: { limit: 1, leaseId } })),
    record: (step) => this.ifAny(this.claims, () => ({ ...step, results: this.results(step.results) })),
    renew: (step) => this.ofTask(step, (intent, dueAt) => ({ do: 'renew', renewal: this.renewal(intent, dueAt) })),
    heartbeat: (step) =>
      this.ofTask(step, ({ task }, dueAt) => ({ do: 'heartbeat', taskId: task.id, at: this.clock.now(), dueAt })),
    reissue: (step) => this.ofLease(step, (leaseId, soon) => ({ do: step.do, leaseId, at: soon })),
    'renewed at provider': (step) => this.ofLease(step, (leaseId, soon) => ({ do: step.do, leaseId, at: soon })),
    'record handle': (step) =>
      this.ofLease(step, (leaseId, soon) => ({
        do: step.do,
        leaseId,
        handle: Buffer.from(`handle of ${soon.toISOString()}`),
      })),
    'suspend agent': (step) => this.ofAgent(step),
    'activate agent': (step) => this.ofAgent(step),
    'set template': ({ template, version }) => ({ do: 'set template', name: at(TEMPLATES, template), version }),
    'hold key': (step) => ({ ...step, owner: this.owner(step.owner) }),
    'settle key': (step) => this.ofHold(step, (hold, taskId, until) => ({ do: 'settle key', hold, taskId, until })),
    'release key': (step) => this.ofHold(step, (hold) => ({ do: 'release key', hold })),
    wait: (step) => step,
    'disable connection': (step) => step,
    'use token': (step) => step,
    'give token back': (step) => step,
  };

  private ofLease(
    step: { readonly lease: number; readonly seconds?: number },
    call: (leaseId: LeaseId, soon: Date) => StoreCall,
  ): StoreCall | undefined {
    const leases = this.intents.flatMap((intent) => intent.leases);
    return this.ifAny(leases, () => call(at(leases, step.lease).id, this.soon(step.seconds)));
  }

  private ofTask(
    step: { readonly task: number; readonly seconds: number },
    call: (intent: TaskIntent, soon: Date) => StoreCall,
  ): StoreCall | undefined {
    return this.ifAny(this.intents, () => call(at(this.intents, step.task), this.soon(step.seconds)));
  }

  private ofHold(
    step: { readonly hold: number; readonly task: number },
    call: (hold: number, taskId: TaskId, soon: Date) => StoreCall,
  ): StoreCall | undefined {
    if (this.holds === 0) return undefined;
    return this.ofTask({ task: step.task, seconds: 60 }, ({ task }, soon) =>
      call(step.hold % this.holds, task.id, soon),
    );
  }

  private ofAgent(step: StepOf<'suspend agent' | 'activate agent'>): StoreCall {
    return { do: step.do, agentId: at(this.agents, step.agent), taskIds: this.tasksOf(step.agent) };
  }

  private renewal({ task, leases }: TaskIntent, dueAt: Date): Renewal {
    const audit = [bareEntry('task.renewed', this.clock.now(), ACTOR, { taskId: task.id }, {})];
    const wakeUps = leases.map(({ id }) => ({ leaseId: id, reason: 'due' as const, runAt: dueAt }));
    return { taskId: task.id, expiresAt: addSeconds(dueAt, 10), dueAt, audit, wakeUps };
  }

  private soon(seconds = 0): Date {
    return addSeconds(this.clock.now(), seconds);
  }

  private request({ hold, ...plan }: OpenPlan): { readonly intent: TaskIntent; readonly hold?: number } {
    const { agent, template, version, leases, state, lifetimeSeconds, heartbeatTimeoutSeconds, aheadSeconds } = plan;
    const intent = taskIntent(this.clock, {
      agentId: at(this.agents, agent),
      template: { name: at(TEMPLATES, template), version },
      connections: leases.map(({ connection }) => connection),
      quota: this.story.limits[template]?.[version - 1] ?? AMPLE,
      lifetimeSeconds,
      leaseState: state,
      createdAt: addSeconds(this.clock.now(), aheadSeconds),
      ...(heartbeatTimeoutSeconds === undefined ? {} : { heartbeatTimeoutSeconds }),
    });
    const detailed = withMintTimes(named(intent, agent === 0 ? 'support-agent' : 'other-agent'), leases);
    return hold === undefined || this.holds === 0
      ? { intent: detailed }
      : { intent: detailed, hold: hold % this.holds };
  }

  private activations(tasks: readonly number[]): readonly TaskActivation[] {
    return [...new Set(tasks.map((task) => at(this.intents, task)))].map(activationOf);
  }

  /** One request for each task: the stores may order several requests of a batch for one task as they like. */
  private ends(plans: readonly EndPlan[]): readonly EndRequest[] {
    const requests = plans.map((plan) => this.end(plan));
    return [...new Map(requests.map((request) => [request.taskId, request])).values()];
  }

  private end({ task: number, cause, mints }: EndPlan): EndRequest {
    const { task, leases } = at(this.intents, number);
    const of = (kind: EndPlan['mints'][number]) => leases.filter((_, place) => mints[place] === kind);
    const ids = { minted: of('minted').map(({ id }) => id), neverMinted: of('never minted').map(({ id }) => id) };
    return { taskId: task.id, cause, reason: `it is ${cause}`, actor: cause === 'expired' ? MAYFLY : ACTOR, ...ids };
  }

  private results(plans: readonly ResultPlan[]): readonly ClosingResult[] {
    const byClaim = new Map(plans.map((plan) => [at(this.claims, plan.claim), plan]));
    return [...byClaim].flatMap(([claim, plan]) => Array(plan.times).fill(this.result(claim, plan)) as ClosingResult[]);
  }

  private result(claim: LeaseClaim, { result, seconds }: ResultPlan): ClosingResult {
    const soon = this.soon(seconds);
    if (result === 'revoked') return { claim, state: result, effectiveAt: soon, remains: 'an empty schema' };
    if (result === 'expired') return { claim, state: result, effectiveAt: soon };
    const acknowledged = result === 'acknowledged' ? { effectiveAt: addSeconds(soon, 30) } : {};
    return { claim, state: 'revoking', retryAt: soon, error: result, ...acknowledged };
  }

  private owner(place: number): KeyOwner {
    return { agentId: at(this.agents, place), runtime: 'cluster', issuer: 'cluster', subject: 'support' };
  }

  private tasksOf(agent: number): readonly TaskId[] {
    const own = this.intents.filter(({ task }) => task.agent.id === at(this.agents, agent));
    return own.map(({ task }) => task.id).sort();
  }

  private ifAny(known: readonly unknown[], call: () => StoreCall): StoreCall | undefined {
    return known.length === 0 ? undefined : call();
  }
}

const BUSY = {
  nothing: {},
  connection: { busyConnections: ['crm'] },
  lane: { busyLanes: [{ connection: 'crm', agent: 'support-agent' }] },
};

/** A hold is the right of one request, so no batch has it twice. */
function eachHoldOnce(requests: Extract<StoreCall, { do: 'open' }>['requests']): typeof requests {
  const first = new Map(requests.toReversed().map((request) => [request.hold, request]));
  return requests.map((request) => (first.get(request.hold) === request ? request : { intent: request.intent }));
}

function named(intent: TaskIntent, name: string): TaskIntent {
  return { ...intent, task: { ...intent.task, agent: { ...intent.task.agent, name } } };
}

/** Gives each lease its own mint deadline, and the task a wake-up for each lease. */
function withMintTimes(intent: TaskIntent, plans: OpenPlan['leases']): TaskIntent {
  const leases = intent.leases.map((lease, place) => {
    const mintBy = addSeconds(intent.task.createdAt, plans[place]?.mintSeconds ?? 10);
    return { ...lease, mintBy, dueAt: lease.state === 'minting' ? addSeconds(mintBy, 2) : lease.dueAt };
  });
  const wakeUps = leases.map(({ id, dueAt }) => ({ leaseId: id, reason: 'due' as const, runAt: dueAt }));
  return { ...intent, leases, wakeUps };
}

/** Returns the item with this number, counted in a circle. */
function at<Item>(items: readonly Item[], number: number): Item {
  return items[number % items.length] as Item;
}
