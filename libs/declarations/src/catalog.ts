import type { Connection } from '@mayfly/credentials';
import {
  bindingsOf,
  BindingIndex,
  boundClaimsOf,
  type AgentSpec,
  type IdentityVerifier,
  type TrustedIssuer,
  type VerifiedIdentity,
} from '@mayfly/identity';
import { addSeconds, Problem, type AgentId, type Clock, type Labels } from '@mayfly/kernel';
import { covers, type EngagedLockdown, type LockdownSubject } from '@mayfly/tasks';
import type { DeclaredPolicy } from '@mayfly/policy';
import { CompiledTemplate, type TemplateVersion } from '@mayfly/templates';

/** A registered agent in any state. */
export interface RegisteredAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly labels: Labels;
  readonly state: 'registered' | 'active' | 'suspended' | 'retired';
  readonly spec: AgentSpec;
}

/** The declared state in force, as the store holds it. */
export interface CatalogRows {
  /** the revision that these rows have */
  readonly revision: string;
  readonly issuers: readonly TrustedIssuer[];
  readonly agents: readonly RegisteredAgent[];
  readonly connections: readonly Connection[];
  /** the version in force of each published template */
  readonly templates: readonly TemplateVersion[];
  readonly lockdowns: readonly EngagedLockdown[];
  /** a policy that cannot be read has no spec, and denies everything */
  readonly policies: readonly DeclaredPolicy[];
}

/** Port: declared state in the store. Both methods throw `unavailable`. */
export interface CatalogSource {
  /** Returns the number of the last committed change of declared state or signing keys, with one small read. */
  revision(): Promise<string>;
  /**
   * Returns everything, as it was at one revision. A document that did not change since the last call is the same
   * object. `all` reads every document again; otherwise the source may read those alone that changed.
   */
  load(all: boolean): Promise<CatalogRows>;
}

/** The longest time since the state in memory was known to be the stored one. */
const MAX_AGE_SECONDS = 30;

/** The same for lockdowns, when the service does not set it: a replica that may have missed one denies. */
const LOCKDOWN_AGE_SECONDS = 5;

/**
 * If the stored revision was not looked at for this long, every document is read again: a backup may have been restored
 * meanwhile.
 */
const GAP_SECONDS = 10;

/** The settings and the hook that the service gives. */
interface CatalogOptions {
  readonly lockdownAgeSeconds?: number;
  /** called after each refresh, so that what is built from declared state is built before a request needs it */
  readonly refreshed?: () => void;
}

interface Loaded {
  /** the start of the last read that found this state in the store; undefined before the first one */
  readonly at?: Date;
  readonly revision?: string;
  readonly bindings: BindingIndex;
  readonly agents: ReadonlyMap<string, RegisteredAgent>;
  readonly connections: ReadonlyMap<string, Connection>;
  readonly connectionList: readonly Connection[];
  readonly templates: ReadonlyMap<string, TemplateInForce>;
  readonly templateList: readonly TemplateVersion[];
  readonly lockdowns: readonly EngagedLockdown[];
  readonly policies: readonly DeclaredPolicy[];
}

/** A version in force. It is compiled when it is first requested: compiling 5,000 of them takes seconds. */
interface TemplateInForce {
  readonly version: TemplateVersion;
  /** returns undefined when the version does not compile, and reports that once */
  readonly compiled: () => CompiledTemplate | undefined;
}

/**
 * Declared state in memory, so that requests need no query. It can be slightly old, so the store checks agent and
 * template again in the commit of a grant. When it was not compared with the store for 30 s, `current` and `bindingOf`
 * throw `unavailable`.
 */
export class Catalog {
  private loaded: Loaded = {
    bindings: new BindingIndex([]),
    agents: new Map(),
    connections: new Map(),
    connectionList: [],
    templates: new Map(),
    templateList: [],
    lockdowns: [],
    policies: [],
  };
  /** settles with the refresh that was requested last */
  private last: Promise<void> = Promise.resolve();
  /** the queued refresh: callers that arrive before it starts share it */
  private next: Promise<void> | undefined;

  constructor(
    private readonly source: CatalogSource,
    private readonly verifier: Pick<IdentityVerifier, 'replaceIssuers'>,
    private readonly clock: Clock,
    /** receives the error of a stored template that no longer compiles; such a template is out of force */
    private readonly report: (error: unknown) => void,
    private readonly options: CatalogOptions = {},
  ) {}

  /**
   * Reads everything again and replaces the state at once: everything stored before the call is in force once it
   * resolves. Refreshes run one after the other. Rejects, and changes nothing, when the store does not answer or the
   * issuers are refused.
   */
  refresh(): Promise<void> {
    if (this.next === undefined) {
      const afterLast = this.last.catch(() => undefined);
      this.next = this.last = afterLast.then(() => {
        this.next = undefined;
        return this.reload();
      });
    }
    return this.next;
  }

  /**
   * Compares the revision in memory with the stored one, and reads everything when they differ. True when it did. A
   * change that was stored before the call is in force once it resolves. Rejects, and changes nothing, as `refresh`
   * does.
   */
  async follow(): Promise<boolean> {
    const at = this.clock.now();
    const revision = await this.source.revision();
    const known = this.loaded.at;
    if (revision === this.loaded.revision && !isGap(known, at)) {
      if (known !== undefined && known < at) this.loaded = { ...this.loaded, at };
      return false;
    }
    await this.refresh();
    return true;
  }

  private async reload(): Promise<void> {
    const at = this.clock.now();
    const rows = await this.source.load(isGap(this.loaded.at, at));
    const bindings = rows.agents.flatMap(({ name, spec }) => bindingsOf(name, spec));
    const loaded: Loaded = {
      at,
      revision: rows.revision,
      bindings: new BindingIndex(bindings),
      agents: new Map(rows.agents.map((agent) => [agent.name, agent])),
      connections: new Map(rows.connections.map((connection) => [connection.name, connection])),
      connectionList: rows.connections,
      templates: new Map(rows.templates.map((version) => [version.name, this.inForce(version)])),
      templateList: rows.templates,
      lockdowns: rows.lockdowns,
      policies: isSame(this.loaded.policies, rows.policies) ? this.loaded.policies : rows.policies,
    };
    this.verifier.replaceIssuers(rows.issuers, boundClaimsOf(bindings));
    this.loaded = loaded;
    this.options.refreshed?.();
  }

  /** Throws `unavailable` when the state in memory is too old or was never read. */
  requireFresh(): void {
    if (this.isKnown(MAX_AGE_SECONDS)) return;
    throw new Problem('unavailable', 'the declarations could not be read for 30 s; try again', {
      ...{ reason: 'declarations-unread', retryAfterSeconds: 5 },
    });
  }

  /**
   * Returns a lockdown in force that covers a requested task, or undefined. Adds the owners of its agent and of its
   * connections. Throws `unavailable` when this replica may have missed a lockdown.
   */
  lockdownOf(task: LockdownSubject): EngagedLockdown | undefined {
    if (!this.isKnown(this.options.lockdownAgeSeconds ?? LOCKDOWN_AGE_SECONDS))
      throw new Problem('unavailable', 'this replica may have missed a lockdown; try again', {
        ...{ reason: 'declarations-unread', retryAfterSeconds: 1 },
      });
    const { lockdowns, agents, connections } = this.loaded;
    if (lockdowns.length === 0) return undefined;
    const owned = [agents.get(task.agent), ...task.connections.map((name) => connections.get(name))];
    const subject = { ...task, owners: [...task.owners, ...owned.flatMap((one) => one?.spec.owner ?? [])] };
    return lockdowns.find(({ scope }) => covers(scope, subject));
  }

  private isKnown(withinSeconds: number): boolean {
    const { at } = this.loaded;
    return at !== undefined && this.clock.now() <= addSeconds(at, withinSeconds);
  }

  /** Returns the template version in force, or undefined. Throws `unavailable` when the state in memory is too old. */
  current(name: string): CompiledTemplate | undefined {
    this.requireFresh();
    return this.loaded.templates.get(name)?.compiled();
  }

  /** The template versions in force: the same array until the next refresh. */
  get templates(): readonly TemplateVersion[] {
    return this.loaded.templateList;
  }

  /** The policies in force: the same array until one of them changes. Throws `unavailable` when it is too old. */
  get policies(): readonly DeclaredPolicy[] {
    this.requireFresh();
    return this.loaded.policies;
  }

  /** True for the name of a registered agent, in any state. */
  knows(agent: string): boolean {
    return this.loaded.agents.has(agent);
  }

  /** Returns the registered agent of this name, in any state, or undefined. */
  agentNamed(name: string): RegisteredAgent | undefined {
    return this.loaded.agents.get(name);
  }

  /** Returns the connection of this name, or undefined. */
  find(name: string): Connection | undefined {
    return this.loaded.connections.get(name);
  }

  /** All connections: the same array until the next refresh, so that an index over them notices a change. */
  get connections(): readonly Connection[] {
    return this.loaded.connectionList;
  }

  /**
   * Returns the agent and the runtime of an identity, or undefined when it has no agent. Throws `forbidden` when
   * several agents are bound to it, or one although it has a role; throws `unavailable` when the state in memory is too
   * old.
   */
  bindingOf(identity: VerifiedIdentity): { readonly agent: RegisteredAgent; readonly runtime: string } | undefined {
    this.requireFresh();
    const binding = this.loaded.bindings.find(identity);
    const agent = binding && this.loaded.agents.get(binding.agent);
    return binding && agent && { agent, runtime: binding.runtime };
  }

  /** Returns a bound claim that the identity has with the same text but another type: `"42"` is not `42`. */
  claimOfOtherType(identity: VerifiedIdentity): ReturnType<BindingIndex['claimOfOtherType']> {
    return this.loaded.bindings.claimOfOtherType(identity);
  }

  private inForce(version: TemplateVersion): TemplateInForce {
    const known = this.loaded.templates.get(version.name);
    return known?.version === version ? known : { version, compiled: onFirstCall(() => this.compile(version)) };
  }

  private compile(version: TemplateVersion): CompiledTemplate | undefined {
    try {
      return new CompiledTemplate(version);
    } catch (error) {
      this.report(error);
      return undefined;
    }
  }
}

/** False before the first look: the start has just read everything to check its files, and does not read it twice. */
function isGap(known: Date | undefined, at: Date): boolean {
  return known !== undefined && at > addSeconds(known, GAP_SECONDS);
}

function isSame(known: readonly object[], read: readonly object[]): boolean {
  return known.length === read.length && known.every((one, index) => one === read[index]);
}

function onFirstCall<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}
