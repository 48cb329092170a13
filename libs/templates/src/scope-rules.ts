import type { Json } from '@mayfly/kernel';
import { exampleParameters, largestParameters } from './example-parameters.js';
import { below } from './json-pointer.js';
import type { LintFacts, ScopeRemarkFact } from './lint-facts.js';
import type { ParameterSchema } from './parameter-schema.js';
import { finding, type Finding } from './rule.js';
import { MAX_SCOPE_BYTES, ScopeSkeleton } from './scope-skeleton.js';
import type { ScopeNode } from './scope-node.js';
import type { TemplateCredential } from './task-template.schema.js';
import { isObject } from './tree-bounds.js';

const WILDCARD = /[*?]|(^|\/)\+(\/|$)/;
const FINAL_WILDCARD = /^[^*?+]*[^*?+/:]\/\*$/;

const EVERYTHING_BELOW = 'this wildcard grants everything below it; name the resources if you can';
const UNNAMED = 'name the resource; a wildcard may only end a text, as `/*` after a fixed name';

/**
 * Rules MF207 to MF209, MF212, MF306, MF307, MF309 and MF310: checks the rendered scope for every combination of listed
 * values (a sample when there are more than 64). `root` was parsed without an error.
 */
export function checkRenderings(
  root: ScopeNode,
  parameters: ParameterSchema,
  { provider, connection }: Pick<TemplateCredential, 'provider' | 'connection'>,
  facts: LintFacts,
  pointer: string,
): Finding[] {
  const skeleton = new ScopeSkeleton(root);
  if (skeleton.largestBytes > MAX_SCOPE_BYTES) {
    const detail = `the scope can grow to ${String(skeleton.largestBytes)} bytes; keep it under ${String(MAX_SCOPE_BYTES)}`;
    return [finding('MF209', pointer, detail)];
  }
  const { parameters: examples, unknown } = exampleParameters(skeleton.parameters, parameters);
  const found = unknown.map((name) => {
    const detail = `the linter found no sample value for \`${name}\`; give \`examples\`, so that it can test the scope`;
    return finding('MF307', below('/parameters/properties', name), detail);
  });
  for (const example of examples) {
    const { scope } = skeleton.render(example);
    found.push(...checkTexts(scope, facts.readScope(provider, scope), pointer));
    const refusal = unknown.length === 0 ? facts.validateScope(provider, scope) : undefined;
    if (refusal !== undefined) found.push(finding('MF306', pointer, refusal));
    else if (unknown.length === 0) found.push(...objectionsTo(scope, connection, facts, pointer));
  }
  const largest = skeleton.render(largestParameters(skeleton.parameters, parameters)).scope;
  found.push(...objectionsTo(largest, connection, facts, pointer));
  return distinct(found);
}

/** Rules MF309 and MF310: the objections of the connection to a scope. */
function objectionsTo(scope: Json, connection: string | undefined, facts: LintFacts, pointer: string): Finding[] {
  if (connection === undefined) return [];
  return facts
    .inspectScope(connection, scope)
    .map(({ severity, detail }) => finding(severity === 'error' ? 'MF309' : 'MF310', pointer, detail));
}

function checkTexts(scope: Json, remarks: readonly ScopeRemarkFact[], pointer: string): Finding[] {
  const byPointer = new Map(remarks.map((remark) => [remark.path.reduce(below, pointer), remark]));
  const unbound = remarks.filter((remark) => remark.kind === 'unbound');
  return [
    ...findWildcards(scope, byPointer, pointer),
    ...unbound.map(({ path, detail }) => finding('MF212', path.reduce(below, pointer), detail)),
  ];
}

type Remarks = ReadonlyMap<string, ScopeRemarkFact>;

function findWildcards(value: Json | undefined, remarks: Remarks, pointer: string): Finding[] {
  if (typeof value === 'string') return checkText(value, pointer, remarks.get(pointer));
  if (Array.isArray(value)) {
    return (value as readonly Json[]).flatMap((item, index) => findWildcards(item, remarks, below(pointer, index)));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const place = below(pointer, key);
    return [...checkText(key, place), ...findWildcards(member, remarks, place)];
  });
}

function checkText(text: string, pointer: string, remark?: ScopeRemarkFact): Finding[] {
  if (!WILDCARD.test(text)) return [];
  switch (remark?.kind) {
    case 'narrowest':
      return [];
    case 'below':
      return [finding('MF208', pointer, EVERYTHING_BELOW)];
    case 'too-wide':
    case 'unbound':
      return [finding('MF207', pointer, remark.detail)];
    case undefined:
      return [
        FINAL_WILDCARD.test(text) ? finding('MF208', pointer, EVERYTHING_BELOW) : finding('MF207', pointer, UNNAMED),
      ];
  }
}

function distinct(findings: readonly Finding[]): Finding[] {
  return [...new Map(findings.map((found) => [`${found.rule} ${found.pointer} ${found.detail}`, found])).values()];
}
