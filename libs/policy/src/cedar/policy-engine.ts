import type { AuthorizationQuestion } from './authorization-call.js';
import { type Cedar, loadCedar } from './cedar-loader.js';
import { findExceeded } from './policy-bounds.js';
import { faultAt, faultOfCedar, inOrder, messageOf, type PolicyFault } from './policy-fault.js';
import { CEDAR_SCHEMA } from './policy-schema.js';
import type { PolicySet, PolicyTexts } from './policy-set.js';
import { PolicySlots } from './policy-slots.js';
import { type ReadPolicy, readPolicy } from './read-policy.js';

/** The answer of Cedar to one question, without interpretation. The order of ids is Cedar's, which is random. */
export interface CedarAnswer {
  readonly isAllowed: boolean;
  /** the ids of the policies that decided */
  readonly reasons: readonly string[];
  /** the ids of policies that could not be evaluated: Cedar has decided without them */
  readonly errors: readonly string[];
}

const SCHEMA_NAME = 'mayfly';
/** A document of this many faults is not read to its end. */
const MAX_FAULTS = 20;

/** One instance of Cedar, with the sets that it has parsed. */
interface Instance {
  readonly cedar: Cedar;
  readonly slots: PolicySlots;
}

/**
 * Cedar in this process. It is loaded at the first use: a service without policies does without its memory. Every call is
 * synchronous. When a call throws what a broken instance throws, the instance is given up and the call is made once more
 * in a new one.
 */
export class PolicyEngine {
  private instance: Instance | undefined;

  /** `report` receives the error with which an instance broke. */
  constructor(
    private readonly load: () => Cedar = loadCedar,
    private readonly report: (error: unknown) => void = () => undefined,
  ) {}

  get isLoaded(): boolean {
    return this.instance !== undefined;
  }

  /** Loads Cedar and parses a set now, so that no request waits for it. Throws when that is not possible. */
  warm(set?: PolicySet): void {
    this.withCedar(({ slots }) => {
      if (set !== undefined) slots.slotOf(set);
    });
  }

  /**
   * Returns everything that keeps these policies from being published: bounds, errors of parsing and validation, and
   * warnings too, because a misspelt member shows as a policy that is impossible. Empty: they can be published.
   */
  check(texts: PolicyTexts): readonly PolicyFault[] {
    return Object.entries(texts)
      .flatMap(([id, text]) => this.checkOne(id, text))
      .slice(0, MAX_FAULTS);
  }

  /** Reads what Mayfly itself needs of a policy that passed `check`. Throws when it does not parse any more. */
  read(id: string, text: string): ReadPolicy {
    if (findExceeded(text) !== undefined) throw new Error(`policy \`${id}\` exceeds the bounds`);
    const answer = this.withCedar(({ cedar }) => cedar.policyToJson(text));
    if (answer.type === 'failure') throw new Error(`policy \`${id}\` does not parse`);
    return readPolicy(id, text, answer.json);
  }

  /**
   * Asks a set of policies, with the schema, so that a question that does not fit it fails. Parses the set when none of
   * the slots has it. Throws when there is no clean answer: the caller denies.
   */
  ask(set: PolicySet, question: AuthorizationQuestion): CedarAnswer {
    const answer = this.withCedar(({ cedar, slots }) =>
      cedar.statefulIsAuthorized({
        ...{ ...question, preparsedPolicySetId: slots.slotOf(set), preparsedSchemaName: SCHEMA_NAME },
        validateRequest: true,
      }),
    );
    if (answer.type !== 'success') throw new Error(`Cedar did not decide: ${messageOf(answer.errors)}`);
    const { decision, diagnostics } = answer.response;
    return {
      isAllowed: decision === 'allow',
      reasons: diagnostics.reason,
      errors: diagnostics.errors.map(({ policyId }) => policyId),
    };
  }

  private checkOne(id: string, text: string): readonly PolicyFault[] {
    const exceeded = findExceeded(text);
    if (exceeded !== undefined) return [faultAt(id, text, exceeded.index, exceeded.detail)];
    try {
      return inOrder(this.withCedar(({ cedar }) => faultsIn(cedar, id, text)));
    } catch (error) {
      this.report(error);
      return [faultAt(id, text, 0, 'Cedar cannot read it; use several shorter policies')];
    }
  }

  /**
   * Runs `work` in the instance. INVARIANT: I7, a trap of WebAssembly and an overflow of the stack break the instance for
   * every later call, so it is given up at once, whatever it was asked.
   */
  private withCedar<Result>(work: (instance: Instance) => Result): Result {
    try {
      return work(this.current());
    } catch (error) {
      if (!isBreaking(error)) throw error;
      this.giveUp(error);
      try {
        return work(this.current());
      } catch (again) {
        if (isBreaking(again)) this.giveUp(again);
        throw again;
      }
    }
  }

  private giveUp(error: unknown): void {
    this.instance = undefined;
    this.report(error);
  }

  private current(): Instance {
    if (this.instance !== undefined) return this.instance;
    const cedar = this.load();
    const answer = cedar.preparseSchema(SCHEMA_NAME, CEDAR_SCHEMA);
    if (answer.type === 'failure') throw new Error(`Cedar refused the schema: ${messageOf(answer.errors)}`);
    return (this.instance = { cedar, slots: new PolicySlots(cedar) });
  }
}

/** The names of the errors after which an instance may be broken. An error of another realm is no `instanceof` ours. */
const BREAKING: ReadonlySet<string> = new Set(['RuntimeError', 'RangeError', 'LinkError', 'CompileError']);

function isBreaking(error: unknown): boolean {
  const { name } = (error ?? {}) as { readonly name?: unknown };
  return typeof name === 'string' && BREAKING.has(name);
}

function faultsIn(cedar: Cedar, id: string, text: string): readonly PolicyFault[] {
  // The id could be one that Cedar's messages quote; a fixed one keeps them short.
  const answer = cedar.validate({ schema: CEDAR_SCHEMA, policies: { staticPolicies: { policy: text } } });
  if (answer.type === 'failure') return answer.errors.map((error) => faultOfCedar(id, text, error));
  const { validationErrors, validationWarnings, otherWarnings } = answer;
  const errors = [...validationErrors, ...validationWarnings].map(({ error }) => error);
  const found = [...errors, ...otherWarnings].map((error) => faultOfCedar(id, text, error));
  if (found.length > 0) return found;
  const parsed = cedar.policyToJson(text);
  if (parsed.type === 'failure') return parsed.errors.map((error) => faultOfCedar(id, text, error));
  return readPolicy(id, text, parsed.json).faults;
}
