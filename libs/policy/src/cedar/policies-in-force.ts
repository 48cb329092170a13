import { digestOf } from '@mayfly/kernel';
import { questionOf } from './authorization-call.js';
import { narrowest } from './obligations.js';
import { MAX_POLICIES } from './policy-bounds.js';
import type { CedarAnswer, PolicyEngine } from './policy-engine.js';
import type { PolicyEnvironment, PolicyInput } from './policy-input.js';
import type { PolicyTexts } from './policy-set.js';
import { allowListOf, policyIdOf, type PolicySlice, type PolicySource, sliceOf } from './policy-slice.js';
import type { PolicyVerdict } from './policy-verdict.js';

/** A `Policy` document in force, as the catalog has it. */
export interface DeclaredPolicy {
  readonly name: string;
  /** undefined when the stored row cannot be read: then nothing is permitted */
  readonly spec:
    | {
        readonly environment?: { readonly [Flag in keyof PolicyEnvironment]?: boolean | undefined } | undefined;
        readonly policies: PolicyTexts;
      }
    | undefined;
}

/** The conditions of the template version that a request is decided with. */
export interface TemplateConditions {
  readonly conditions?: PolicyTexts | undefined;
}

/** Port: the `Policy` documents in force. The same array until one of them changes. */
export interface DeclaredPolicies {
  readonly policies: readonly DeclaredPolicy[];
}

/** No template has this name. */
const NO_TEMPLATE = '';

/** The documents, as they were read at their last change. */
interface Documents {
  readonly declared: readonly DeclaredPolicy[];
  readonly sources: readonly PolicySource[];
  readonly environment: PolicyEnvironment;
  /** the titles of documents that cannot be read */
  readonly unreadable: readonly string[];
}

/** The slice of one template, for as long as neither its conditions nor a document changes. */
interface TemplateSlice {
  readonly conditions: PolicyTexts | undefined;
  readonly slice: PolicySlice;
  readonly policyDigest: string;
}

/** Every policy in force, and the decision that they make together. Synchronous, without effect but for its memory. */
export class PoliciesInForce {
  private documents: Documents | undefined;
  /** the slice of each template, until a document changes */
  private readonly slices = new Map<string, TemplateSlice>();
  private readonly read = new WeakMap<object, PolicySource>();

  constructor(
    private readonly engine: PolicyEngine,
    private readonly declared: DeclaredPolicies,
    /** receives the error of a policy that gave no clean answer */
    private readonly report: (error: unknown) => void,
  ) {}

  /**
   * Reads the documents in force when they changed; loads Cedar when there is one, and parses the set of the templates that
   * have no policies of their own. Never throws.
   */
  prepare(): void {
    try {
      if (this.current().sources.length > 0) this.engine.warm(this.sliceFor(NO_TEMPLATE, undefined).slice);
    } catch (error) {
      this.report(error);
    }
  }

  /** True when there is neither a document nor a condition, so that `decide` would permit whatever it is asked. */
  hasNone({ conditions }: TemplateConditions): boolean {
    try {
      return conditions === undefined && this.declared.policies.length === 0;
    } catch {
      return false; // `decide` denies
    }
  }

  /**
   * Decides a request. Denies unless every author of policies permits it: no `forbid` matches, and of each allow-list one
   * permit matches. INVARIANT: I7, a failure, a throw, a policy with an error or a document that cannot be read denies.
   */
  decide(input: PolicyInput, { conditions }: TemplateConditions = {}): PolicyVerdict {
    try {
      const { environment, unreadable } = this.current();
      if (unreadable.length > 0) return denied('error', unreadable);
      const { slice, policyDigest } = this.sliceFor(input.template.name, conditions);
      if (slice.byId.size === 0) return { outcome: 'permit', reason: 'no-policy', policies: [], obligations: {} };
      if (slice.byId.size > MAX_POLICIES) return { ...denied('error', titlesOf(slice)), policyDigest };
      const answer = this.engine.ask(slice, questionOf(input, environment));
      return { ...this.verdictOf(slice, answer, input), policyDigest };
    } catch (error) {
      this.report(error);
      return denied('error', []);
    }
  }

  private verdictOf(slice: PolicySlice, answer: CedarAnswer, { action }: PolicyInput): PolicyVerdict {
    const { isAllowed, reasons, errors } = answer;
    if (errors.length > 0) {
      this.report(new Error(`policies with an error in their evaluation: ${errors.toSorted().join(', ')}`));
      return denied('error', errors);
    }
    const decided = reasons.flatMap((id) => slice.byId.get(id) ?? []);
    if (!isAllowed) return denied('forbidden', idsOf(decided), toldBy(decided));
    const matched = new Set(reasons);
    const closed = slice.sources
      .map((source) => allowListOf(source, action))
      .filter((list) => list.length > 0 && !list.some(({ id }) => matched.has(id)))
      .flat();
    if (closed.length > 0) return denied('not-permitted', idsOf(closed), toldBy(closed));
    const obligations = narrowest(decided.map((policy) => policy.obligations));
    return { outcome: 'permit', reason: 'permitted', policies: idsOf(decided).toSorted(), obligations };
  }

  private sliceFor(template: string, conditions: PolicyTexts | undefined): TemplateSlice {
    const { sources, environment } = this.current();
    const known = this.slices.get(template);
    if (known !== undefined && known.conditions === conditions) return known;
    const own = conditions === undefined ? [] : [this.sourceOf(`TaskTemplate/${template}`, conditions)];
    const slice = sliceOf(template, [...sources, ...own]);
    const policyDigest = digestOf({ policies: slice.digest, environment: { ...environment } });
    const made = { conditions, slice, policyDigest };
    this.slices.set(template, made);
    return made;
  }

  private current(): Documents {
    const { policies } = this.declared;
    if (this.documents?.declared === policies) return this.documents;
    const documents = this.readAll(policies);
    this.slices.clear();
    return (this.documents = documents);
  }

  /** Reads every document. One that does not parse any more closes everything, and is named. */
  private readAll(declared: readonly DeclaredPolicy[]): Documents {
    const sources: PolicySource[] = [];
    const unreadable: string[] = [];
    for (const { name, spec } of declared) {
      const title = `Policy/${name}`;
      try {
        if (spec === undefined) throw new Error(`the stored policy \`${name}\` cannot be read`);
        sources.push(this.sourceOf(title, spec.policies));
      } catch (error) {
        this.report(error);
        unreadable.push(title);
      }
    }
    const has = (flag: keyof PolicyEnvironment) => declared.some(({ spec }) => spec?.environment?.[flag] === true);
    const environment = { freeze: has('freeze'), incident: has('incident') };
    return { declared, environment, unreadable, sources: sources.filter(({ policies }) => policies.length > 0) };
  }

  private sourceOf(title: string, texts: PolicyTexts): PolicySource {
    const known = this.read.get(texts);
    if (known?.title === title) return known;
    const policies = Object.entries(texts).map(([id, text]) => this.engine.read(policyIdOf(title, id), text));
    const source = { title, policies };
    this.read.set(texts, source);
    return source;
  }
}

function denied(
  reason: 'forbidden' | 'not-permitted' | 'error',
  policies: readonly string[],
  told?: string,
): PolicyVerdict {
  const sorted = [...new Set(policies)].toSorted();
  return { outcome: 'deny', reason, policies: sorted, obligations: {}, ...(told === undefined ? {} : { told }) };
}

function idsOf(policies: readonly { readonly id: string }[]): readonly string[] {
  return policies.map(({ id }) => id);
}

function titlesOf({ sources }: PolicySlice): readonly string[] {
  return sources.map(({ title }) => title);
}

/** Returns the `@reason` texts of policies, in the order of their ids. */
function toldBy(policies: readonly { readonly id: string; readonly reason?: string }[]): string | undefined {
  const sorted = policies.toSorted((one, other) => (one.id < other.id ? -1 : 1));
  const told = [...new Set(sorted.flatMap(({ reason }) => reason ?? []))];
  return told.length === 0 ? undefined : told.join('; ');
}
