import { randomBytes } from 'node:crypto';
import { DenialLog } from '@mayfly/audit';
import {
  type Connection,
  ConnectionGates,
  ProviderRegistry,
  type RegisteredProvider,
  Targets,
  TargetClocks,
} from '@mayfly/credentials';
import {
  Assessor,
  ControlTraces,
  DecisionRecorder,
  Decisions,
  FactSets,
  GrantedDecisions,
  type Grant,
  Minter,
  Planner,
  type PolicyJudge,
  type Requester,
  TaskIssuance,
  TaskRenewal,
  type TaskRequest,
} from '@mayfly/issuance';
import { LeaseClosing, RevocationAlarm, TaskEnding } from '@mayfly/revocation';
import { type DeclaredPolicy, PoliciesInForce, PolicyEngine } from '@mayfly/policy';
import { DummyProvider } from '@mayfly/provider-dummy';
import { type EngagedLockdown, type Failpoint, NO_OBSERVER, type Step, STEPS } from '@mayfly/tasks';
import type { CompiledTemplate } from '@mayfly/templates';
import { Sealer } from '@mayfly/trust';
import { requesterAt, templateOf } from './builders.js';
import { FakeLocalProvider } from './fake-local-provider.js';
import { FakeIssuanceMetrics } from './fake-metrics.js';
import type { TaskStores } from './task-stores.js';

/** The whole of issuance over given stores, assembled as in the broker, with the dummy target and a local provider. */
export class IssuanceService<Stores extends TaskStores> {
  readonly dummy: DummyProvider;
  readonly local = new FakeLocalProvider();
  readonly metrics = new FakeIssuanceMetrics();
  readonly sealer: Sealer;
  /** the steps that the path reached, in order */
  readonly steps: Step[] = [];
  /** the errors of background work, such as a sweep */
  readonly reports: unknown[] = [];
  readonly targets: Targets;
  readonly gates: ConnectionGates;
  readonly clocks: TargetClocks;
  readonly closing: LeaseClosing;
  readonly ending: TaskEnding;
  readonly issuance: TaskIssuance;
  readonly renewal: TaskRenewal;
  readonly alarm: RevocationAlarm;
  readonly decisions: Decisions;
  readonly traces: ControlTraces;
  /** the agent as it is declared now, for the trace of a task */
  agentNow: Requester['agent'] | undefined;
  /** the uses of identity tokens, in order */
  readonly identityUses: string[] = [];
  /** the alarms in the operator's log */
  readonly told: object[] = [];
  /** log lines about leases whose revocation failed */
  readonly failures: object[] = [];
  /** a lockdown that this replica knows to cover every request */
  lockdown: EngagedLockdown | undefined;
  /** throws to close the gate of issuance */
  gate: () => void = () => undefined;
  /** the `Policy` documents in force */
  policyDocuments: readonly DeclaredPolicy[] = [];
  /** replaces the verdict of the policies on every request */
  policies: PolicyJudge['decide'] | undefined;
  private readonly published = new Map<string, CompiledTemplate>();
  /** every version that was published */
  private readonly versions = new Map<string, CompiledTemplate['version']>();
  private readonly connections = new Map<string, Connection>();

  /** With a `peer`, both are replicas with one target and one sealing key. */
  constructor(
    readonly stores: Stores,
    peer?: IssuanceService<TaskStores>,
    more: readonly RegisteredProvider[] = [],
  ) {
    const { clock } = stores.scene;
    this.dummy = peer?.dummy ?? new DummyProvider(clock);
    this.sealer = peer?.sealer ?? new Sealer({ current: randomBytes(32).toString('hex') });
    const providers = new ProviderRegistry([{ provider: this.dummy }, { provider: this.local }, ...more]);
    const templates = { current: (name: string) => this.published.get(name), lockdownOf: () => this.lockdown };
    const connections = { find: (name: string) => this.connections.get(name) };
    const observer = { reached: (step: Failpoint) => this.note(step) };
    this.targets = new Targets(providers, connections, { read: async (reference) => `value of ${reference}` });
    this.alarm = new RevocationAlarm({
      audit: stores.issuance,
      clock,
      tell: (text, facts) => void this.told.push({ text, ...facts }),
      report: (error) => void this.reports.push(error),
    });
    this.clocks = new TargetClocks(5, clock);
    this.gates = new ConnectionGates(connections, this.alarm, this.clocks);
    const { gates, targets } = this;
    const parts = { clock, metrics: this.metrics, sealing: this.sealer, targets, gates, observer };
    const report = (error: unknown): void => void this.reports.push(error);
    this.closing = new LeaseClosing({
      ...{ ...parts, store: stores.closing, alarm: this.alarm, report },
      monotonic: () => clock.now().getTime(),
      tell: (text, facts) => void this.failures.push({ text, ...facts }),
    });
    this.ending = new TaskEnding(stores.closing, this.closing);
    const documents = (): readonly DeclaredPolicy[] => this.policyDocuments;
    const declared = {
      get policies() {
        return documents();
      },
    };
    const policyEngine = new PolicyEngine();
    const inForce = new PoliciesInForce(policyEngine, declared, report);
    const judge: PolicyJudge = {
      hasNone: (template) => this.policies === undefined && inForce.hasNone(template),
      decide: (input, template) => this.policies?.(input, template) ?? inForce.decide(input, template),
    };
    const facts = new FactSets(targets, stores.facts, declared);
    this.issuance = new TaskIssuance({
      ...parts,
      gate: { pass: async () => this.gate() },
      assessor: new Assessor(templates, targets, clock, observer, facts, judge),
      ...{ facts, recorder: new DecisionRecorder((text) => text.replaceAll('canary', '[redacted]')) },
      planner: new Planner(targets, this.sealer, gates),
      minter: new Minter(this.metrics, gates, stores.issuance, this.sealer, observer),
      store: stores.issuance,
      tasks: stores.tasks,
      denials: new DenialLog(stores.issuance, clock),
      identities: {
        consume: async () => void this.identityUses.push('consumed'),
        giveBack: async () => void this.identityUses.push('given back'),
      },
      ending: this.ending,
    });
    const granted = new GrantedDecisions({ audit: stores.story, facts: stores.facts, tasks: stores.tasks });
    const versions = {
      version: async (name: string, version: number) => this.versions.get(`${name} ${String(version)}`),
    };
    const deciders = { providers, policyEngine };
    this.decisions = new Decisions({ store: stores.decisions, granted, versions, facts, deciders });
    this.traces = new ControlTraces({
      ...{ store: stores.decisions, granted, tasks: stores.tasks, clock },
      assessor: new Assessor(templates, targets, clock, NO_OBSERVER, facts, judge),
      agents: { agentNamed: () => this.agentNow ?? this.requester().agent },
    });
    this.renewal = new TaskRenewal({
      ...{ ...parts, issuance: this.issuance, tasks: stores.tasks, decisions: stores.decisions },
    });
  }

  /** Keeps the steps of `POST /tasks`. */
  private note(step: Failpoint): undefined {
    const known = STEPS.find((one) => one === step);
    if (known !== undefined) this.steps.push(known);
  }

  /** Puts a template in force, with its connections and the agent of the tests. */
  async publish(template: CompiledTemplate = templateOf()): Promise<CompiledTemplate> {
    const { name, version, spec } = template.version;
    this.published.set(name, template);
    this.versions.set(`${name} ${String(version)}`, template.version);
    for (const { connection, provider } of spec.credentials) {
      if (connection !== undefined) this.connect(connection, provider);
    }
    await this.stores.scene.setTemplate(name, version);
    await this.stores.scene.setAgent(this.requester().agent.id, 'active');
    return template;
  }

  /** Returns the requesting agent, proven now. */
  requester(changes: Partial<Requester> = {}): Requester {
    return requesterAt(this.stores.scene.clock.now(), changes);
  }

  /** Requests a task of the published template. */
  issue(request: Partial<TaskRequest> = {}, requester: Requester = this.requester()): Promise<Grant> {
    const usual = { template: 'read-cases', parameters: { region: 'emea' }, purpose: 'answer ticket 4711' };
    return this.issuance.issue(requester, { ...usual, ...request });
  }

  connect(name: string, provider: string, config: Connection['spec']['config'] = {}): void {
    this.connections.set(name, { name, spec: { provider, owner: 'support-platform', config } });
  }

  connection(name: string): Connection | undefined {
    return this.connections.get(name);
  }

  /** Disables a connection. */
  disable(name: string): void {
    const connection = this.connections.get(name);
    if (connection !== undefined) this.connections.set(name, { ...connection, disabled: true });
  }

  disconnect(name: string): void {
    this.connections.delete(name);
  }

  retire(name: string): void {
    this.published.delete(name);
  }
}
