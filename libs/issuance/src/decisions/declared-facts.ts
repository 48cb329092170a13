import type { Connection, Targets } from '@mayfly/credentials';
import { canonicalJson, digestOf, type JsonObject } from '@mayfly/kernel';
import type { CompiledTemplate } from '@mayfly/templates';
import { LRUCache } from 'lru-cache';
import type { Requester } from '../request.js';

/** The most sets that a process remembers: one for each agent and template that were requested lately. */
const MAX_SETS = 5_000;

/** The declared state that a decision reads besides the template version: the agent, and the connections. */
export interface DeclaredFacts {
  readonly agent: Requester['agent'];
  /** those of the credentials of the template, each once */
  readonly connections: readonly Connection[];
}

/** Declared facts with the digest of their canonical JSON. */
export interface FactSet {
  readonly facts: DeclaredFacts;
  readonly digest: string;
  /** true once this process knows that the set is stored */
  isKept: boolean;
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

  constructor(
    private readonly targets: Pick<Targets, 'connection'>,
    private readonly store: FactStore,
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
    await this.store.keep(set.digest, canonicalJson(factsJson(set.facts)));
    set.isKept = true;
  }

  private isCurrent({ template, connections }: Known): boolean {
    const credentials = template?.version.spec.credentials ?? [];
    return credentials.every(
      ({ connection }, index) => connection === undefined || this.targets.connection(connection) === connections[index],
    );
  }

  private make(agent: Requester['agent'], template: CompiledTemplate | undefined, before: Known | undefined): Known {
    const connections = (template?.version.spec.credentials ?? []).map(({ connection }) =>
      connection === undefined ? undefined : this.targets.connection(connection),
    );
    const facts = { agent, connections: [...new Set(connections.flatMap((one) => one ?? []))] };
    const digest = digestOf(factsJson(facts));
    // The same content in other objects, as after a new reading of the catalog, is the same set.
    const set = before?.set.digest === digest ? before.set : { facts, digest, isKept: false };
    return { agent, template, set, connections };
  }
}

/** Returns the facts as they are stored: the members that a decision reads, and no others. */
export function factsJson({ agent: { id, name, state, labels }, connections }: DeclaredFacts): JsonObject {
  return {
    agent: { id, name, state, labels },
    connections: connections.map(({ name, spec: { provider, config }, disabled }) => ({
      ...{ name, provider, config: config, disabled: disabled === true },
    })),
  };
}
