import type { ProviderRegistry } from '@mayfly/credentials';
import type { Principal } from '@mayfly/identity';
import {
  canonicalJson,
  type ControlName,
  type DecisionId,
  decisionOfTask,
  digestOf,
  type Json,
  type JsonObject,
  Problem,
  taskOfDecision,
} from '@mayfly/kernel';
import { type Decision, type DecisionRecord, type DecisionStore, deny, type Verdict } from '@mayfly/policy';
import { type TaskTemplateSpec, TaskTemplateSpecSchema } from '@mayfly/templates';
import { decide } from './decide.js';
import { type DecisionInputs, DelegateInputsSchema, RequestInputsSchema } from './decision-inputs.js';
import { decisionView, outcomeView } from './decision.view.js';
import type { GrantedDecisions } from './granted-decision.js';
import { replacedAt } from './pointer.js';

/** Port: the published versions of templates, also those that are no longer in force. Throws `unavailable`. */
export interface TemplateVersions {
  version(
    name: string,
    version: number,
  ): Promise<{ readonly digest: string; readonly spec: TaskTemplateSpec } | undefined>;
}

export interface DecisionsParts {
  readonly store: Pick<DecisionStore, 'find'>;
  readonly granted: GrantedDecisions;
  readonly versions: TemplateVersions;
  readonly providers: ProviderRegistry;
}

/** A change of the inputs of a decision: a value of one of them, or a control that denies. */
export type InputChange =
  { readonly set: { readonly pointer: string; readonly value: Json } } | { readonly harden: ControlName };

/** The document that a what-if changes: the inputs, and the spec of the template version that they name. */
type Changeable = DecisionInputs & { readonly spec: TaskTemplateSpec | null };

/** The records of decisions: reads them, makes them again, and makes them from changed inputs. */
export class Decisions {
  constructor(private readonly parts: DecisionsParts) {}

  /** Returns a record. Throws `not_found`, also for an agent that reads the decision on another agent's request. */
  async view(caller: Principal, id: DecisionId): Promise<JsonObject> {
    const record = await this.parts.store.find(id).then((found) => found ?? this.granted(id));
    const isHidden = caller.kind === 'agent' && record?.agentId !== caller.agent.id;
    if (record === undefined || isHidden) throw unknown(id);
    return decisionView(record);
  }

  /**
   * Makes a decision again from its stored inputs, with the template version of then, and compares the bytes. Throws
   * `not_found`, and `conflict` when its inputs were not kept.
   */
  async replay(id: DecisionId): Promise<JsonObject> {
    const record = await this.require(id);
    const { inputs, spec } = await this.inputsOf(record);
    const replayed = this.outcomeOf(record, decide(record.phase, inputs, spec ?? undefined, this.parts.providers));
    const recorded = recordedOutcome(record);
    return {
      decisionId: id,
      identical: canonicalJson(recorded) === canonicalJson(replayed),
      ...(record.inputs.withheld === true ? { withheld: true } : {}),
      recorded: { digest: digestOf(recorded), ...recorded },
      replayed: { digest: digestOf(replayed), ...replayed },
      differences: differencesOf(record.trace, replayed.trace as unknown as readonly Verdict[]),
    };
  }

  /**
   * Makes a decision from changed inputs. Stores nothing. Throws `not_found`, `conflict` as `replay` does, and
   * `invalid_request` for a pointer that names no input, or a value that the input cannot have.
   */
  async whatIf(id: DecisionId, change: InputChange): Promise<JsonObject> {
    const record = await this.require(id);
    const { inputs, spec } = await this.inputsOf(record);
    const changed = this.outcomeOf(record, this.decideChanged(record, { ...inputs, spec }, change));
    return {
      decisionId: id,
      recorded: recordedOutcome(record),
      changed,
      differences: differencesOf(record.trace, changed.trace as unknown as readonly Verdict[]),
    };
  }

  private decideChanged(record: DecisionRecord, before: Changeable, change: InputChange): Decision {
    const { providers } = this.parts;
    if ('harden' in change) {
      const { spec, ...inputs } = before;
      const decision = decide(record.phase, inputs, spec ?? undefined, providers);
      return decision.with(deny(change.harden, 'the control denies in this what-if', { help: 'remove `harden`' }));
    }
    const { pointer, value } = change.set;
    const { inputs, spec } = readChanged(replacedAt(before, pointer, value), pointer);
    try {
      return decide(record.phase, inputs, spec ?? undefined, providers);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      throw unfit(pointer, error.detail);
    }
  }

  private async require(id: DecisionId): Promise<DecisionRecord> {
    const record = (await this.parts.store.find(id)) ?? (await this.granted(id));
    if (record === undefined) throw unknown(id);
    return record;
  }

  private granted(id: DecisionId): Promise<DecisionRecord | undefined> {
    return this.parts.granted.find(taskOfDecision(id));
  }

  /** Reads the inputs of a record, and the spec of the version that they name. */
  private async inputsOf(record: DecisionRecord) {
    const read = schemaOf(record.inputs).safeParse(record.inputs);
    if (!read.success) throw notKept(record.id);
    const inputs: DecisionInputs = read.data;
    const { template } = inputs;
    if (template === null) return { inputs, spec: null };
    const version = await this.parts.versions.version(template.name, template.version);
    // A version is never changed. Another digest under its number is that of another database.
    if (version?.digest !== template.digest) throw notKept(record.id);
    return { inputs, spec: version.spec };
  }

  /** A grant keeps the verdicts of its trace alone; every other record keeps all that were given. */
  private outcomeOf(record: DecisionRecord, decision: Decision): JsonObject {
    const isGrant = record.taskId !== undefined && record.id === decisionOfTask(record.taskId);
    return outcomeView(decision.refusal?.control, isGrant ? decision.trace : decision.verdicts);
  }
}

function recordedOutcome({ control, trace }: DecisionRecord): JsonObject {
  return outcomeView(control, trace);
}

function differencesOf(recorded: readonly Verdict[], other: readonly Verdict[]): Json {
  const controls = [...new Set([...recorded, ...other].map(({ control }) => control))];
  return controls.flatMap((control) => {
    const [before = null, after = null] = [recorded, other].map((trace) =>
      trace.find((one) => one.control === control),
    );
    if (canonicalJson(before as Json) === canonicalJson(after as Json)) return [];
    return [{ control, recorded: before as Json, now: after as Json }];
  });
}

function schemaOf(inputs: JsonObject) {
  return 'ancestors' in inputs ? DelegateInputsSchema : RequestInputsSchema;
}

function readChanged(changed: Json, pointer: string): { inputs: DecisionInputs; spec: TaskTemplateSpec | null } {
  if (changed === null || typeof changed !== 'object' || Array.isArray(changed)) throw unfit(pointer, 'use an object');
  const { spec = null, ...members } = changed as JsonObject;
  const inputs = schemaOf(members).safeParse(members);
  if (!inputs.success) throw unfit(pointer, faultOf(inputs.error));
  if (spec === null) return { inputs: inputs.data, spec };
  const read = TaskTemplateSpecSchema.safeParse(spec);
  if (!read.success) throw unfit(pointer, faultOf(read.error));
  return { inputs: inputs.data, spec: read.data };
}

function faultOf({
  issues,
}: {
  readonly issues: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[];
}) {
  const [issue] = issues;
  return issue === undefined ? 'use another value' : `\`/${issue.path.map(String).join('/')}\`: ${issue.message}`;
}

function unfit(pointer: string, fault: string): Problem {
  return new Problem('invalid_request', `the value does not fit the input \`${pointer}\`; change it: ${fault}`, {
    errors: [{ pointer: '/set/value', detail: fault }],
  });
}

function unknown(id: DecisionId): Problem {
  return new Problem('not_found', `there is no decision \`${id}\``);
}

function notKept(id: DecisionId): Problem {
  return new Problem('conflict', `decision \`${id}\` cannot be made again: its inputs are not in this database`, {
    help: 'read its verdicts with `GET /decisions/:id`; decisions of earlier releases have no inputs',
  });
}
