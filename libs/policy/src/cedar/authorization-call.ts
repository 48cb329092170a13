import type * as CedarModule from '@cedar-policy/cedar-wasm/nodejs';
import { present } from '@mayfly/kernel';
import type { PolicyEnvironment, PolicyInput } from './policy-input.js';

/** The question that Cedar is asked, without the names of set and schema. */
export type AuthorizationQuestion = Pick<
  CedarModule.StatefulAuthorizationCall,
  'principal' | 'action' | 'resource' | 'context' | 'entities'
>;

const MAX_CONTEXT_BYTES = 32_768;
/** The text in the place of one that nobody stated. */
const UNSTATED = 'unstated';

/**
 * Builds Cedar's question from plain JSON. Principal and resource are always among the entities, which Cedar does not
 * check. Throws a `TypeError` for what Cedar would change silently: a number that is not a safe integer (beyond 2^53 the
 * value changes), a text with a lone surrogate, or a context over 32 KiB.
 */
export function questionOf(input: PolicyInput, environment: PolicyEnvironment): AuthorizationQuestion {
  const { action, agent, template, operation } = input;
  const context = contextOf(input, environment);
  const principal = { type: 'Agent', id: agent.name };
  const resource = { type: 'Template', id: template.name };
  const question = {
    ...{ principal, action: { type: 'Action', id: action }, resource: resource, context },
    entities: [
      { uid: principal, attrs: agentAttributes(agent), parents: [], tags: { ...agent.labels } },
      {
        ...{ uid: resource, parents: [], tags: { ...template.labels } },
        attrs: { name: template.name, version: template.version, owner: template.owner },
      },
    ],
  };
  requireExact(question);
  return operation === undefined ? question : operating(question, operation);
}

function operating(
  question: AuthorizationQuestion & { readonly resource: CedarModule.TypeAndId },
  { name, target }: NonNullable<PolicyInput['operation']>,
): AuthorizationQuestion {
  const resource = { type: 'Operation', id: name };
  const at = { type: 'Target', id: target };
  const added = {
    ...{ ...question, resource },
    entities: [
      ...question.entities,
      { uid: at, attrs: { name: target }, parents: [question.resource] },
      { uid: resource, attrs: { name }, parents: [at] },
    ],
  };
  requireExact(added);
  return added;
}

function agentAttributes({ name, runtime, issuer, labels, delegatingUser }: PolicyInput['agent']) {
  return { name, runtime, issuer, trustTier: labels['trust-tier'] ?? UNSTATED, ...present({ delegatingUser }) };
}

function contextOf(input: PolicyInput, { freeze, incident }: PolicyEnvironment): CedarModule.Context {
  const { template, phase, at, approvals, treeDepth, requestedSeconds, usesLeft } = input;
  const label = (name: string) => template.labels[name] ?? UNSTATED;
  return {
    phase,
    ...{ purposeCode: label('purpose-code'), dataClass: label('data-class'), toolRisk: label('tool-risk') },
    connections: [...template.connections],
    providers: [...template.providers],
    environment: { freeze, incident },
    // Three digits and `Z`: the only form of an instant that both sides have.
    now: at.toISOString(),
    ...{ approvals, treeDepth, ...present({ requestedSeconds, usesLeft }) },
  };
}

function requireExact(value: object): void {
  const text = JSON.stringify(value, (_, inner: unknown) => {
    if (typeof inner === 'number' && !Number.isSafeInteger(inner)) throw new TypeError('a number is no safe integer');
    if (typeof inner === 'string' && /\p{Surrogate}/u.test(inner)) throw new TypeError('a text has a lone surrogate');
    return inner;
  });
  if (Buffer.byteLength(text) > MAX_CONTEXT_BYTES) throw new TypeError('the inputs are over 32 KiB');
}
