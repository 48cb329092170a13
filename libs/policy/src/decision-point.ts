import type { JsonObject, Labels } from '@mayfly/kernel';
import { deny, permit, type Judgement } from './decision.js';

/** The protocols in which an outside decision point is asked. */
export const DECISION_POINT_KINDS = ['authzen', 'opa'] as const;

export type DecisionPointKind = (typeof DECISION_POINT_KINDS)[number];

/** The question to an outside decision point: may this agent get these credentials now. It holds no secret. */
export interface DecisionQuestion {
  readonly action: 'request' | 'renew';
  readonly agent: {
    readonly name: string;
    readonly labels: Labels;
    readonly runtime: string;
    readonly issuer: string;
    readonly subject: string;
  };
  readonly template: { readonly name: string; readonly version: number; readonly owner: string };
  /** parameters, purpose, lifetime in seconds, and the credentials with their rendered scopes */
  readonly context: JsonObject;
}

/** Port: sends JSON to the decision point and returns its answer. Rejects when there is none in time, or no JSON. */
export type AskDecisionPoint = (question: JsonObject) => Promise<unknown>;

/** Reads the answer of a protocol: the decision, or the reason why it is none. `id` names the decision there. */
type Read = (answer: unknown) => { readonly permits: boolean; readonly id?: string } | { readonly fault: string };

const HELP = 'ask the operator of the decision point that this service requires';

/**
 * A decision point outside of Mayfly, whose permit every grant and renewal needs in addition. INVARIANT: I7, everything
 * that is not a clear permit denies: no answer in time, another status, a redirect, an undefined or malformed decision.
 */
export class DecisionPoint {
  constructor(
    private readonly kind: DecisionPointKind,
    private readonly ask: AskDecisionPoint,
    /** is told why the decision point gave no decision */
    private readonly report: (error: Error) => void,
  ) {}

  /** Returns the verdict of the control `decision-point`. Never throws. */
  async judge(question: DecisionQuestion): Promise<Judgement> {
    const { body, read } = PROTOCOLS[this.kind];
    try {
      const decision = read(await this.ask(body(question)));
      if ('fault' in decision) throw new Error(`the decision point ${decision.fault}`);
      const evidence = { kind: this.kind, ...(decision.id === undefined ? {} : { id: decision.id }) };
      if (decision.permits) return { ...permit('decision-point'), evidence };
      return deny('decision-point', 'the decision point of this service denied the request', { help: HELP, evidence });
    } catch (error) {
      this.report(error instanceof Error ? error : new Error('the decision point could not be asked'));
      return deny('decision-point', 'the decision point of this service gave no decision, which denies', {
        ...{ help: 'try again; if it lasts, ask the operator of the decision point', evidence: { kind: this.kind } },
      });
    }
  }
}

interface Protocol {
  readonly body: (question: DecisionQuestion) => JsonObject;
  readonly read: Read;
}

const PROTOCOLS: Readonly<Record<DecisionPointKind, Protocol>> = {
  authzen: { body: authzenBody, read: readAuthzen },
  // The data API takes the same members below `input`.
  opa: { body: (question) => ({ input: authzenBody(question) }), read: readOpa },
};

/** The request of an access evaluation (OpenID AuthZEN Authorization API 1.0 §5 and §6). */
function authzenBody({ action, agent, template, context }: DecisionQuestion): JsonObject {
  const { name, labels, runtime, issuer, subject } = agent;
  return {
    subject: { type: 'agent', id: name, properties: { labels: { ...labels }, runtime, issuer, subject } },
    action: { name: action },
    resource: {
      ...{ type: 'task_template', id: template.name },
      properties: { version: template.version, owner: template.owner },
    },
    context,
  };
}

/** A decision is a boolean `decision` (AuthZEN §6.2). A denial with `context.error` is a failure of the decision point. */
function readAuthzen(answer: unknown): ReturnType<Read> {
  const { decision, context } = membersOf(answer);
  if (typeof decision !== 'boolean') return { fault: 'answered without a boolean `decision`' };
  if (!decision && membersOf(context).error !== undefined) return { fault: 'could not evaluate the request' };
  return { permits: decision };
}

/**
 * `result` is a boolean, or an object with a boolean `allow`. An undefined rule, a wrong path and an error in a rule are
 * answered with 200 and without `result`.
 */
function readOpa(answer: unknown): ReturnType<Read> {
  const { result, warning, decision_id: id } = membersOf(answer);
  // OPA did not find `input` in the body, so that the rules saw nothing.
  if (warning !== undefined) return { fault: 'warned that it was asked in a wrong way' };
  const permits = typeof result === 'boolean' ? result : membersOf(result).allow;
  if (typeof permits !== 'boolean') return { fault: 'answered without a boolean `result` or `result.allow`' };
  return { permits, ...(typeof id === 'string' && /^[\w-]{1,64}$/.test(id) ? { id } : {}) };
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : {};
}
