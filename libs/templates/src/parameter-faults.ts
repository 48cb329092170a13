import type { FieldError } from '@mayfly/kernel';
import type { ErrorObject } from 'ajv';
import { below } from './json-pointer.js';

const MAX_FAULTS = 20;

/** The JSON Pointer to the parameters in the body of a task request, where `invalid_parameters` points. */
const PARAMETERS = '/parameters';

/** Returns the JSON Pointer to one parameter in the body of a task request. */
export function parameterPointer(name: string): string {
  return below(PARAMETERS, name);
}

/** Moves a fault's pointer from the parameters to the body of a task request. */
export function inRequest({ pointer, detail }: FieldError): FieldError {
  return { pointer: `${PARAMETERS}${pointer}`, detail };
}

/** Turns ajv's errors into at most 20 faults, each with the change to make. Pointers start at the parameters. */
export function describeFaults(errors: readonly ErrorObject[]): FieldError[] {
  return errors.slice(0, MAX_FAULTS).map(describe);
}

function describe(error: ErrorObject): FieldError {
  const pointer = error.instancePath;
  const params = error.params as Record<string, unknown>;
  switch (error.keyword) {
    case 'additionalProperties':
      return {
        pointer: below(pointer, String(params.additionalProperty).slice(0, 64)),
        detail: 'unknown parameter; leave it out',
      };
    case 'required':
      return { pointer: below(pointer, String(params.missingProperty)), detail: 'required; give a value' };
    case 'enum':
      return { pointer, detail: `use one of ${quoted(params.allowedValues)}` };
    case 'const':
      return { pointer, detail: `use ${quoted([params.allowedValue])}` };
    // ajv gives every error a message: only the option `messages: false` switches that off
    default:
      return { pointer, detail: String(error.message).replaceAll('"', '`') };
  }
}

function quoted(values: unknown): string {
  return (values as readonly unknown[])
    .slice(0, 10)
    .map((value) => `\`${String(value)}\``)
    .join(', ');
}
