import { Problem, type Json, type JsonObject } from '@mayfly/kernel';
import { Ajv2020, str, type ValidateFunction } from 'ajv/dist/2020.js';
import { anchoredPatterns } from './anchored-pattern.js';
import { isMultiple } from './decimal.js';
import { describeFaults, inRequest } from './parameter-faults.js';
import { checkParameterSchema } from './parameter-rules.js';
import { finding, refuseErrors, type Finding } from './rule.js';
import { findUnsafe, isObject } from './tree-bounds.js';

// bounding the tree first keeps `allErrors` cheap whatever is sent
const VALUE_BOUNDS = { maxDepth: 16, maxNodes: 1000 };

const ajv = new Ajv2020({
  strict: true,
  allErrors: true,
  ownProperties: true,
  coerceTypes: false,
  useDefaults: false,
  removeAdditional: false,
  logger: false,
  code: { regExp: anchoredPatterns },
});
// ajv divides doubles, with or without `multipleOfPrecision` (which also takes what only comes near a multiple)
ajv.removeKeyword('multipleOf');
ajv.addKeyword({
  keyword: 'multipleOf',
  type: 'number',
  schemaType: 'number',
  error: { message: ({ schemaCode }) => str`must be multiple of ${schemaCode}` },
  compile: (step: number) => (value: number) => isMultiple(value, step),
});

/** The parameters of one template version: the author's schema, compiled once. */
export class ParameterSchema {
  private readonly properties: Readonly<Record<string, JsonObject>>;

  constructor(
    readonly json: JsonObject,
    private readonly accepts: ValidateFunction,
  ) {
    this.properties = (json.properties ?? {}) as Readonly<Record<string, JsonObject>>;
  }

  /** The names of the parameters, in the author's order. */
  get names(): readonly string[] {
    return Object.keys(this.properties);
  }

  /** The schema of one parameter, or undefined. */
  property(name: string): JsonObject | undefined {
    return Object.hasOwn(this.properties, name) ? this.properties[name] : undefined;
  }

  isRequired(name: string): boolean {
    return ((this.json.required ?? []) as readonly string[]).includes(name);
  }

  /** Whether this parameter takes the value, whatever the others hold. */
  takes(name: string, value: Json): boolean {
    if (this.accepts({ [name]: value })) return true;
    return !(this.accepts.errors ?? []).some(({ instancePath }) => instancePath === `/${name}`);
  }

  /**
   * The value itself, known to fit: nothing is coerced, filled in or left out. Throws `invalid_parameters` whose `errors`
   * point into the request that has the value as its `parameters` (at most 20).
   */
  validate(value: Json): JsonObject {
    const unsafe = findUnsafe(value, VALUE_BOUNDS);
    const errors = unsafe === undefined ? this.faults(value) : [unsafe];
    if (errors.length === 0 && isObject(value)) return value;
    throw new Problem('invalid_parameters', 'the parameters do not fit the template', {
      errors: errors.map(inRequest),
    });
  }

  private faults(value: Json) {
    return this.accepts(value) ? [] : describeFaults(this.accepts.errors ?? []);
  }
}

/** The compiled schema, or what is wrong with it; pointers start at `pointer`. */
export function readParameters(schema: Json, pointer = ''): ParameterSchema | readonly Finding[] {
  const found = checkParameterSchema(schema, pointer);
  if (found.length > 0) return found;
  try {
    return new ParameterSchema(schema as JsonObject, ajv.compile(schema as object));
  } catch (error) {
    return [finding('MF107', pointer, `not a schema: ${(error as Error).message}`)];
  } finally {
    // the compiled function is ours to keep; ajv's own cache would grow with every version
    ajv.removeSchema(schema as object);
  }
}

/** Compiles an author's JSON Schema (2020-12, the part that `docs/template-rules.md` allows). Throws `invalid_template`. */
export function compileParameters(schema: Json): ParameterSchema {
  const read = readParameters(schema);
  if (read instanceof ParameterSchema) return read;
  refuseErrors(read);
  throw new Problem('internal', 'parameters were refused without a reason');
}
