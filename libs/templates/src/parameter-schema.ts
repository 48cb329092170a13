import { Problem, type Json, type JsonObject } from '@mayfly/kernel';
import { Ajv2020, str, type ValidateFunction } from 'ajv/dist/2020.js';
import { anchoredPatterns } from './anchored-pattern.js';
import { isMultiple } from './decimal.js';
import { describeFaults, inRequest } from './parameter-faults.js';
import { checkParameterSchema } from './parameter-rules.js';
import { finding, invalidTemplate, type Finding } from './rule.js';
import { findUnsafe, isObject } from './tree-bounds.js';

// bounding the tree first keeps `allErrors` cheap for any input
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
// ajv divides doubles, with or without `multipleOfPrecision` (which also accepts near multiples)
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

  /** Returns the schema of one parameter, or undefined. */
  property(name: string): JsonObject | undefined {
    return Object.hasOwn(this.properties, name) ? this.properties[name] : undefined;
  }

  isRequired(name: string): boolean {
    return ((this.json.required ?? []) as readonly string[]).includes(name);
  }

  /** True when this parameter accepts the value, whatever the other parameters are. */
  takes(name: string, value: Json): boolean {
    if (this.accepts({ [name]: value })) return true;
    return !(this.accepts.errors ?? []).some(({ instancePath }) => instancePath === `/${name}`);
  }

  /**
   * Returns the value when it fits; never coerces, defaults or removes anything. Throws `invalid_parameters` with at
   * most 20 `errors`, whose pointers start at the body of the task request.
   */
  validate(value: Json): JsonObject {
    const unsafe = findUnsafe(value, VALUE_BOUNDS);
    const errors = unsafe === undefined ? this.faults(value) : [unsafe];
    if (errors.length === 0 && isObject(value)) return value;
    throw new Problem('invalid_parameters', 'the parameters do not fit the template; change those in `errors`', {
      errors: errors.map(inRequest),
    });
  }

  private faults(value: Json) {
    return this.accepts(value) ? [] : describeFaults(this.accepts.errors ?? []);
  }
}

/** Compiling takes a millisecond, and linter, catalog and samples compile the schema of the same version. */
const compiled = new WeakMap<object, ParameterSchema>();

/** Returns the compiled schema, or its errors; their pointers start at `pointer`. */
export function readParameters(schema: Json, pointer = ''): ParameterSchema | Errors {
  const known = isObject(schema) ? compiled.get(schema) : undefined;
  if (known !== undefined) return known;
  const read = compile(schema, pointer);
  if (isObject(schema) && read instanceof ParameterSchema) compiled.set(schema, read);
  return read;
}

type Errors = readonly [Finding, ...Finding[]];

function compile(schema: Json, pointer: string): ParameterSchema | Errors {
  const [first, ...others] = checkParameterSchema(schema, pointer);
  if (first !== undefined) return [first, ...others];
  try {
    return new ParameterSchema(schema as JsonObject, ajv.compile(schema as object));
  } catch (error) {
    return [finding('MF107', pointer, `not a schema: ${(error as Error).message}`)];
  } finally {
    // our code keeps the compiled function; ajv's own cache would grow with every version
    ajv.removeSchema(schema as object);
  }
}

/** Compiles an author's JSON Schema (2020-12, the subset in `docs/template-rules.md`). Throws `invalid_template`. */
export function compileParameters(schema: Json): ParameterSchema {
  const read = readParameters(schema);
  if (read instanceof ParameterSchema) return read;
  throw invalidTemplate(read);
}
