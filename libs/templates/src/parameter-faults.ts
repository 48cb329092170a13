import type { FieldError } from '@mayfly/kernel';
import type { ErrorObject } from 'ajv';
import { below } from './json-pointer.js';

const MAX_FAULTS = 20;

/** What ajv found, for the caller: at most 20 places, each with what to change there. */
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
    default:
      return { pointer, detail: (error.message ?? 'not accepted').replaceAll('"', '`') };
  }
}

function quoted(values: unknown): string {
  return (values as readonly unknown[])
    .slice(0, 10)
    .map((value) => `\`${String(value)}\``)
    .join(', ');
}
