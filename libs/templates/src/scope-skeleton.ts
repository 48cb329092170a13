import { digestOf, Problem, type FieldError, type Json, type JsonObject } from '@mayfly/kernel';
import { LRUCache } from 'lru-cache';
import { describeHole, fitsHole, longestValue } from './hole.js';
import { parameterPointer } from './parameter-faults.js';
import type { ParameterSchema } from './parameter-schema.js';
import { refuseErrors } from './rule.js';
import { fill, holesAt, holesOf, isFilled, type Hole, type HoleValues, type ScopeNode } from './scope-node.js';
import { readScope } from './scope-parser.js';

/** The maximum size of a rendered scope, in bytes of UTF-8. */
export const MAX_SCOPE_BYTES = 16_384;

/** The scope of one credential of one task, and the SHA-256 (base64url) of its canonical JSON. */
export interface RenderedScope {
  readonly scope: JsonObject;
  readonly digest: string;
}

interface SerialisedScope {
  readonly text: string;
  readonly digest: string;
}

/** The parsed scope tree of a template version. Rendering is pure, and a value can only fill its own hole. */
export class ScopeSkeleton {
  private readonly holes: ReadonlyMap<string, Hole>;
  /** A cache of rendered scopes by the values of their holes, for repeated requests. */
  private readonly recent = new LRUCache<string, SerialisedScope>({ max: 256 });

  constructor(private readonly root: ScopeNode) {
    this.holes = new Map(holesOf(root).map((hole) => [hole.parameter, hole]));
  }

  /** The holes, one for each parameter. */
  get parameters(): readonly Hole[] {
    return [...this.holes.values()];
  }

  /** Returns the parameters that decide the value at a path of the rendered scope; empty for a scope without holes. */
  parametersAt(path: readonly (string | number)[]): readonly string[] {
    return [...new Set(holesAt(this.root, path).map(({ parameter }) => parameter))];
  }

  /** The size of the largest possible rendering, in bytes. */
  get largestBytes(): number {
    const longest = this.parameters.map(({ parameter, rule }) => [parameter, longestValue(rule)] as const);
    return Buffer.byteLength(JSON.stringify(fill(this.root, Object.fromEntries(longest))));
  }

  /**
   * Renders the scope for `parameters`, which `ParameterSchema.validate` accepted: fills, serialises, parses again,
   * compares with the skeleton, checks the size, hashes. Throws `invalid_parameters` that names a parameter that does
   * not fit its hole, or a size over the limit. Never trims, escapes or omits a value.
   */
  render(parameters: JsonObject): RenderedScope {
    // INVARIANT: I9, only values that passed the rule of their hole are used after this line
    const values = this.accept(parameters);
    const key = JSON.stringify(values);
    const known = this.recent.get(key);
    if (known !== undefined) return { scope: JSON.parse(known.text) as JsonObject, digest: known.digest };
    const { text, scope, digest } = this.serialise(values);
    this.recent.set(key, { text, digest });
    return { scope, digest };
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
    throw new Problem('invalid_parameters', 'a parameter does not fit its place in the scope; change it', { errors });
  }

  private serialise(values: HoleValues): SerialisedScope & RenderedScope {
    const text = JSON.stringify(fill(this.root, values));
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_SCOPE_BYTES) {
      const most = String(MAX_SCOPE_BYTES);
      throw new Problem(
        'invalid_parameters',
        `the scope has ${String(bytes)} bytes; use shorter parameters, for at most ${most}`,
      );
    }
    const scope = JSON.parse(text) as JsonObject;
    if (!isFilled(this.root, scope, values))
      throw new Problem(
        'internal',
        'the rendered scope does not match the structure of the template; report this fault of Mayfly',
      );
    return { text, scope, digest: digestOf(scope) };
  }
}

/** Compiles a scope tree with the parameters that it may name. Throws `invalid_template` with its faults. */
export function compileScope(tree: Json, parameters: ParameterSchema): ScopeSkeleton {
  const { root, findings } = readScope(tree, parameters);
  refuseErrors(findings);
  return new ScopeSkeleton(root);
}
