import type { FieldError } from '@mayfly/kernel';
import { dottedPath, pointerOf } from '../document-path.js';
import { refuseInvalid } from '../invalid-declaration.js';
import { readYaml } from '../yaml-reader.js';
import { type PolicyCases, PolicyCasesSchema } from './policy-cases.schema.js';

/**
 * Reads a file of case documents. Throws `invalid_declaration` for any fault; each detail starts with `file:line: path:`,
 * as for declarations.
 */
export function parsePolicyCases(file: string, text: string): PolicyCases[] {
  const faults: FieldError[] = [];
  const read = readYaml(text).flatMap((document) => {
    const note = (path: readonly (string | number)[], detail: string, line = document.lineOf(path)): void => {
      const place = path.length === 0 ? '' : `${dottedPath(path)}: `;
      faults.push({ pointer: pointerOf(path), detail: `${file}:${String(line)}: ${place}${detail}` });
    };
    for (const fault of document.faults) note(fault.path, fault.detail, fault.line);
    if (document.faults.length > 0) return [];
    const parsed = PolicyCasesSchema.safeParse(document.value);
    if (parsed.success) return [parsed.data];
    for (const { path, message } of parsed.error.issues) note(path.map(stepOf), message.replaceAll('"', '`'));
    return [];
  });
  refuseInvalid(faults);
  return read;
}

function stepOf(step: PropertyKey): string | number {
  return typeof step === 'symbol' ? String(step) : step;
}
