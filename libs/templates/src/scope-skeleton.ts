import { digestOf, Problem, type FieldError, type Json, type JsonObject } from '@mayfly/kernel';
import { LRUCache } from 'lru-cache';
import { describeHole, fitsHole, longestValue } from './hole.js';
import { parameterPointer } from './parameter-faults.js';
import type { ParameterSchema } from './parameter-schema.js';
import { refuseErrors } from './rule.js';
import { fill, holesAt, holesOf, isFilled, type Hole, type HoleValues, type ScopeNode } from './scope-node.js';
import { readScope } from './scope-parser.js';

/** A rendered scope never takes more bytes of UTF-8 than this. */
export const MAX_SCOPE_BYTES = 16_384;

/** What one credential of one task may do, and the SHA-256 (base64url) of its canonical JSON. */
export interface RenderedScope {
  readonly scope: JsonObject;
  readonly digest: string;
}

interface SerialisedScope {
  readonly text: string;
  readonly digest: string;
}

/** A scope tree of a template version, read once. Rendering is pure, and a value can only ever land in its own hole. */
export class ScopeSkeleton {
  private readonly holes: ReadonlyMap<string, Hole>;
  /** Scopes rendered lately, by the values in their holes: the same request comes again and again. */
  private readonly recent = new LRUCache<string, SerialisedScope>({ max: 256 });

  constructor(private readonly root: ScopeNode) {
    this.holes = new Map(holesOf(root).map((hole) => [hole.parameter, hole]));
  }

  /** The parameters that fill holes here. */
  get parameters(): readonly Hole[] {
    return [...this.holes.values()];
  }

  /** The parameters that decide what stands at a place of the rendered scope; none for a scope without holes. */
  parametersAt(path: readonly (string | number)[]): readonly string[] {
    return [...new Set(holesAt(this.root, path).map(({ parameter }) => parameter))];
  }

  /** The bytes of the largest scope that this skeleton can be rendered to. */
  get largestBytes(): number {
    const longest = this.parameters.map(({ parameter, rule }) => [parameter, longestValue(rule)] as const);
    return Buffer.byteLength(JSON.stringify(fill(this.root, Object.fromEntries(longest))));
  }

  /**
   * Renders for `parameters`, which `ParameterSchema.validate` has accepted: fill, serialise, parse again, compare with the
   * skeleton, bound, hash (standards §10). Throws `invalid_parameters` naming the parameter that does not fit its hole or
   * the size that is too large; nothing is ever trimmed, escaped or left out.
   */
  render(parameters: JsonObject): RenderedScope {
    // INVARIANT: I9, only values that passed the rule of their hole go past this line
    const values = this.accept(parameters);
    const key = JSON.stringify(values);
    const { text, digest } = this.recent.get(key) ?? this.serialise(values);
    this.recent.set(key, { text, digest });
    return { scope: JSON.parse(text) as JsonObject, digest };
  }

  private accept(parameters: JsonObject): HoleValues {
    const values: Record<string, string | number> = {};
    const errors: FieldError[] = [];
    for (const { parameter, rule } of this.holes.values()) {
      const value = Object.hasOwn(parameters, parameter) ? parameters[parameter] : undefined;
      if (fitsHole(rule, value)) values[parameter] = value;
      else errors.push({ pointer: parameterPointer(parameter), detail: describeHole(rule) });
    }
    if (errors.length === 0) return values;
    throw new Problem('invalid_parameters', 'a parameter does not fit where the template puts it', { errors });
  }

  private serialise(values: HoleValues): SerialisedScope {
    const text = JSON.stringify(fill(this.root, values));
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_SCOPE_BYTES) {
      const most = String(MAX_SCOPE_BYTES);
      throw new Problem('invalid_parameters', `the scope takes ${String(bytes)} bytes; at most ${most} are allowed`);
    }
    const scope = JSON.parse(text) as Json;
    if (!isFilled(this.root, scope, values)) throw new Problem('internal', 'a rendered scope left its skeleton');
    return { text, digest: digestOf(scope) };
  }
}

/** Compiles a scope tree against the parameters it may name. Throws `invalid_template` listing what is wrong. */
export function compileScope(tree: Json, parameters: ParameterSchema): ScopeSkeleton {
  const { root, findings } = readScope(tree, parameters);
  refuseErrors(findings);
  return new ScopeSkeleton(root);
}
