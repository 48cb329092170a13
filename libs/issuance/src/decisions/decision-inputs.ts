import { type JsonObject, NameSchema } from '@mayfly/kernel';
import { z } from 'zod';

/**
 * The inputs of decisions, as they are stored. A decision is a function of them, of the template version that they
 * name, and of the code (`decide.ts`). Nobody else may read an input: what a decision reads is here.
 */
const Instant = z.iso.datetime();
const Text = z.string();
const AnyJson = z.json();
const AnyObject = z.record(z.string(), z.json()) as unknown as z.ZodType<JsonObject, JsonObject>;
const LabelValues = z.record(z.string(), z.string());

const Held = z.strictObject({ provider: Text, connection: Text.nullable(), scope: AnyJson });

/** The members that every decision has. */
const Common = {
  /** present when parameters were replaced, because they may hold a secret or are too long to keep */
  withheld: z.literal(true).optional(),
  /** the instant that the decision took for now */
  at: Instant,
  agent: z.strictObject({ id: Text, name: Text, state: Text, labels: LabelValues }),
  runtime: Text,
  identity: z.strictObject({ issuer: Text, subject: Text, expiresAt: Instant }),
  /** the version in force; null when there was none */
  template: z.strictObject({ name: NameSchema, version: z.int(), digest: Text }).nullable(),
  /** the labels of the template, which are no part of its version */
  templateLabels: LabelValues,
  /** the digest of the `Policy` documents in force, which are stored under it; null when there were none */
  policies: Text.nullable(),
  /** the connections of the template's credentials, as they were declared */
  connections: z.array(z.strictObject({ name: Text, provider: Text, config: AnyObject, disabled: z.boolean() })),
};

const Asked = z.strictObject({
  template: Text,
  parameters: AnyJson,
  purpose: Text,
  ttlSeconds: z.int().nullable(),
});

const Left = z.strictObject({ tasksThisMinute: z.number(), concurrentTasks: z.number() });

/** The finding of the commit under its locks; null when the request did not come so far. */
const Commit = z
  .union([
    z.strictObject({ verdict: z.literal('quota'), left: Left }),
    z.strictObject({
      verdict: z.enum(['opened', 'lockdown', 'agent', 'template', 'connection', 'delegation', 'parent']),
    }),
    /** the lockdown that kept the credentials of an opened task back */
    z.strictObject({ verdict: z.literal('undelivered'), lockdown: Text }),
  ])
  .nullable();

/** The inputs of a decision on a new task (`request`), or on more time for one (`renew`). */
export const RequestInputsSchema = z.strictObject({
  ...Common,
  request: Asked,
  /** the lockdown in force that covers the request */
  lockdown: z.strictObject({ id: Text, kind: Text, name: Text }).nullable(),
  /** what bounds a task that was handed on */
  parent: z
    .strictObject({
      ...{ taskId: Text, parentId: Text, rootId: Text, depth: z.int() },
      ...{ expiresAt: Instant, maxExpiresAt: Instant, held: z.array(Held) },
    })
    .nullable(),
  /** the delegation that was to be taken up, when that was refused before the request was decided */
  delegation: z.strictObject({ agent: Text, waits: z.boolean(), parentRuns: z.boolean() }).nullable(),
  /** the running task that is renewed; with `lockdown`, nothing else was looked at */
  task: z
    .strictObject({
      ...{ id: Text, runtime: Text, lockdown: Text.nullable() },
      leases: z.array(z.strictObject({ name: Text, connection: Text.nullable(), scope: AnyJson })),
      /** the connections of the leases that are disabled */
      disabled: z.array(Text),
    })
    .nullable(),
  /** the verdict of the outside decision point, when it was asked: it is not asked again */
  outside: z
    .strictObject({
      outcome: z.enum(['permit', 'deny']),
      detail: Text.optional(),
      help: Text.optional(),
      evidence: AnyObject.optional(),
    })
    .nullable(),
  commit: Commit,
});
export type RequestInputs = z.infer<typeof RequestInputsSchema>;

/** The inputs of a decision on a part of a task that its agent hands on. */
export const DelegateInputsSchema = z.strictObject({
  ...Common,
  request: Asked.extend({ agent: Text }),
  /** true when the agent that is to take it up is registered */
  acceptorIsKnown: z.boolean(),
  parent: z.strictObject({
    ...{ id: Text, agent: Text, template: Text, runs: z.boolean(), lockdown: Text.nullable() },
    ...{ expiresAt: Instant, held: z.array(Held) },
  }),
  /** the parent and all above it, with the rules of their versions */
  ancestors: z.array(
    z.strictObject({
      ...{ agent: Text, template: Text },
      rule: z.strictObject({ templates: z.array(Text), maxDepth: z.int(), maxChildren: z.int() }).nullable(),
    }),
  ),
  commit: z.strictObject({ verdict: z.enum(['delegated', 'parent', 'children']) }).nullable(),
});
export type DelegateInputs = z.infer<typeof DelegateInputsSchema>;

export type DecisionInputs = RequestInputs | DelegateInputs;
export type CommitFound = RequestInputs['commit'];
