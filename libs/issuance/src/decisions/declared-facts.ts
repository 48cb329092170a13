import type { Connection, Targets } from '@mayfly/credentials';
import { canonicalJson, digestOf, type Json, type JsonObject, type Labels } from '@mayfly/kernel';
import type { DeclaredPolicies, DeclaredPolicy } from '@mayfly/policy';
import type { CompiledTemplate } from '@mayfly/templates';
import { LRUCache } from 'lru-cache';
import type { Requester } from '../request.js';

/** The most sets that a process remembers: one for each agent and template that were requested lately. */
const MAX_SETS = 5_000;

/** The declared state that a decision reads besides the template version. */
export interface DeclaredFacts {
  readonly agent: Requester['agent'];
  /** those of the credentials of the template, each once */
  readonly connections: readonly Connection[];
  /** labels of the template, which are no part of its version */
  readonly templateLabels: Labels;
  /** the digest of the `Policy` documents in force; null when there are none */
  readonly policies: string | null;
}

/** The `Policy` documents in force, which are stored once under their digest. */
interface PolicySet {
  readonly documents: readonly DeclaredPolicy[];
  readonly digest: string | null;
  /** true once this process knows that they are stored */
  isKept: boolean;
}

/** Declared facts with the digest of their canonical JSON. */
export interface FactSet {
  readonly facts: DeclaredFacts;
  readonly digest: string;
  /** true once this process knows that the set is stored */
  isKept: boolean;
  readonly policySet: PolicySet;
}

/** Port: declared facts by their digest. Both methods throw `unavailable`. */
export interface FactStore {
  /** Stores canonical JSON under its digest, if it is not there. */
  keep(digest: string, body: string): Promise<void>;
  /** Returns the canonical JSON, or undefined. */
  find(digest: string): Promise<string | undefined>;
}

interface Known {
  readonly agent: Requester['agent'];
  readonly template: CompiledTemplate | undefined;
  readonly set: FactSet;
  readonly connections: readonly (Connection | undefined)[];
}

/**
 * The declared facts of decisions. They change seldom: a grant states their digest, and the set itself is stored once.
 * A set is known by the objects that it was made of, which the catalog keeps until a document changes.
 */
export class FactSets {
  private readonly known = new LRUCache<string, Known>({ max: MAX_SETS });
  /** the sets of policies that decisions under way may have read */
  private readonly policySets = new LRUCache<string, PolicySet>({ max: 16 });
  private policySet: PolicySet = { documents: [], digest: null, isKept: true };

  constructor(
    private readonly targets: Pick<Targets, 'connection'>,
    private readonly store: FactStore,
    private readonly declared: DeclaredPolicies,
  ) {}

  /** Returns the facts that a request of this agent for this template reads now. */
  of(agent: Requester['agent'], template: CompiledTemplate | undefined): FactSet {
    const key = `${agent.id} ${template?.version.name ?? ''}`;
    const known = this.known.get(key);
    if (known?.agent === agent && known.template === template && this.isCurrent(known)) return known.set;
    const made = this.make(agent, template, known);
    this.known.set(key, made);
    return made.set;
  }

  /** Stores a set before a grant states its digest. Throws `unavailable`. */
  async keep(set: FactSet): Promise<void> {
    await this.keepPolicies(set.policySet.digest);
    await this.store.keep(set.digest, canonicalJson(factsJson(set.facts)));
    set.isKept = true;
  }

  /** Stores the policies that a decision read, before its record names them. Throws `unavailable`. */
  async keepPolicies(digest: string | null): Promise<void> {
    const set = digest === null ? undefined : this.policySets.get(digest);
    if (set === undefined || set.isKept || set.digest === null) return;
    await this.store.keep(set.digest, canonicalJson(policiesJson(set.documents)));
    set.isKept = true;
  }

  /** Returns the stored `Policy` documents of a decision, or undefined. Throws `unavailable`. */
  async policiesOf(digest: string | null): Promise<readonly DeclaredPolicy[] | undefined> {
    if (digest === null) return [];
    const body = await this.store.find(digest);
    return body === undefined ? undefined : readPolicies(JSON.parse(body) as Json);
  }

  private policiesNow(): PolicySet {
    const { policies } = this.declared;
    if (this.policySet.documents === policies) return this.policySet;
    const digest = policies.length === 0 ? null : digestOf(policiesJson(policies));
    const known = digest === null ? undefined : this.policySets.get(digest);
    this.policySet = { documents: policies, digest, isKept: digest === null || known?.isKept === true };
    if (digest !== null) this.policySets.set(digest, this.policySet);
    return this.policySet;
  }

  private isCurrent({ template, connections, set }: Known): boolean {
    if (set.policySet.documents !== this.declared.policies) return false;
    const credentials = template?.version.spec.credentials ?? [];
    return credentials.every(
      ({ connection }, index) => connection === undefined || this.targets.connection(connection) === connections[index],
    );
  }

  private make(agent: Requester['agent'], template: CompiledTemplate | undefined, before: Known | undefined): Known {
    const connections = (template?.version.spec.credentials ?? []).map(({ connection }) =>
      connection === undefined ? undefined : this.targets.connection(connection),
    );
    const policySet = this.policiesNow();
    const facts = {
      ...{ agent, connections: [...new Set(connections.flatMap((one) => one ?? []))] },
      ...{ templateLabels: template?.version.labels ?? {}, policies: policySet.digest },
    };
    const digest = digestOf(factsJson(facts));
    // The same content in other objects, as after a new reading of the catalog, is the same set.
    const isKept = before?.set.digest === digest && before.set.isKept && policySet.isKept;
    const set = { facts, digest, isKept, policySet };
    return { agent, template, set, connections };
  }
}

/** Returns the facts as they are stored: the members that a decision reads, and no others. */
export function factsJson({ agent, connections, templateLabels, policies }: DeclaredFacts): JsonObject {
  const { id, name, state, labels } = agent;
  return {
    ...{ agent: { id, name, state, labels }, templateLabels, policies },
    connections: connections.map(({ name, spec: { provider, config }, disabled }) => ({
      ...{ name, provider, config: config, disabled: disabled === true },
    })),
  };
}

function policiesJson(documents: readonly DeclaredPolicy[]): Json {
  return documents.map(({ name, spec }) => ({ name, spec: spec ?? null }));
}

/** Reads stored `Policy` documents. */
export function readPolicies(stored: Json): readonly DeclaredPolicy[] {
  const documents = stored as unknown as readonly {
    readonly name: string;
    readonly spec: DeclaredPolicy['spec'] | null;
  }[];
  return documents.map(({ name, spec }) => ({ name, spec: spec ?? undefined }));
}
