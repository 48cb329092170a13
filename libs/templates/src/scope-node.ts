import type { Json, JsonObject } from '@mayfly/kernel';
import type { HoleRule } from './hole.js';
import { isObject } from './tree-bounds.js';

/** A place in a scope that one parameter fills. */
export interface Hole {
  readonly kind: 'hole';
  readonly parameter: string;
  readonly rule: HoleRule;
}

/** A parsed scope: every value is fixed, except the holes. Keys are always fixed. */
export type ScopeNode =
  | { readonly kind: 'fixed'; readonly value: string | number | boolean }
  | Hole
  | { readonly kind: 'join'; readonly parts: readonly (string | Hole)[] }
  | { readonly kind: 'list'; readonly items: readonly ScopeNode[] }
  | { readonly kind: 'map'; readonly members: readonly ScopeMember[] };

export type ScopeMember = readonly [key: string, node: ScopeNode];

/** Returns every hole of the tree, in reading order. */
export function holesOf(node: ScopeNode): Hole[] {
  switch (node.kind) {
    case 'fixed':
      return [];
    case 'hole':
      return [node];
    case 'join':
      return node.parts.filter((part) => typeof part !== 'string');
    case 'list':
      return node.items.flatMap(holesOf);
    case 'map':
      return node.members.flatMap(([, member]) => holesOf(member));
  }
}

/** Returns the holes at a path of the tree; without any there, the holes of the nearest enclosing node that has one. */
export function holesAt(root: ScopeNode, path: readonly (string | number)[]): Hole[] {
  const [step, ...rest] = path;
  const inner = step === undefined ? undefined : childOf(root, step);
  const found = inner === undefined ? [] : holesAt(inner, rest);
  return found.length > 0 ? found : holesOf(root);
}

function childOf(node: ScopeNode, step: string | number): ScopeNode | undefined {
  if (node.kind === 'list') return node.items[Number(step)];
  return node.kind === 'map' ? node.members.find(([key]) => key === step)?.[1] : undefined;
}

/** The values of the holes, by parameter. Each value has passed the rule of its hole. */
export type HoleValues = Readonly<Record<string, string | number>>;

/** Returns the tree with each hole filled from `values`, in a single pass: a value is never parsed for holes. */
export function fill(node: ScopeNode, values: HoleValues): Json {
  switch (node.kind) {
    case 'fixed':
      return node.value;
    case 'hole':
      return values[node.parameter] ?? null;
    case 'join':
      return joined(node.parts, values);
    case 'list':
      return node.items.map((item) => fill(item, values));
    case 'map':
      return Object.fromEntries(node.members.map(([key, member]) => [key, fill(member, values)]));
  }
}

/** True when `tree` is the skeleton with exactly these values in its holes, and nothing changed, added or missing. */
export function isFilled(node: ScopeNode, tree: Json | undefined, values: HoleValues): boolean {
  switch (node.kind) {
    case 'fixed':
      return tree === node.value;
    case 'hole':
      return tree !== undefined && tree === values[node.parameter];
    case 'join':
      return tree === joined(node.parts, values);
    case 'list':
      return Array.isArray(tree) && isFilledList(node.items, tree as readonly Json[], values);
    case 'map':
      return isObject(tree) && isFilledMap(node.members, tree, values);
  }
}

function isFilledList(nodes: readonly ScopeNode[], items: readonly Json[], values: HoleValues): boolean {
  return items.length === nodes.length && nodes.every((node, index) => isFilled(node, items[index], values));
}

function isFilledMap(nodes: readonly ScopeMember[], tree: JsonObject, values: HoleValues): boolean {
  if (Object.keys(tree).length !== nodes.length) return false;
  return nodes.every(([key, node]) => Object.hasOwn(tree, key) && isFilled(node, tree[key], values));
}

function joined(parts: readonly (string | Hole)[], values: HoleValues): string {
  return parts.map((part) => (typeof part === 'string' ? part : String(values[part.parameter]))).join('');
}
