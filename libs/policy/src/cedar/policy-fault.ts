import type * as CedarModule from '@cedar-policy/cedar-wasm/nodejs';

/** A fault that keeps a policy from being published, with its place in the text. Lines and columns count from 1. */
export interface PolicyFault {
  readonly id: string;
  readonly detail: string;
  readonly line: number;
  readonly column: number;
}

/** Returns the fault in words: `line 2, column 7: …`. */
export function faultWords({ detail, line, column }: PolicyFault): string {
  return `line ${String(line)}, column ${String(column)}: ${detail}`;
}

/** Returns the same faults once each, in the order of their places. */
export function inOrder(faults: readonly PolicyFault[]): readonly PolicyFault[] {
  const once = new Map(faults.map((fault) => [faultWords(fault), fault]));
  return [...once.values()].sort(
    (one, other) => one.line - other.line || one.column - other.column || (one.detail < other.detail ? -1 : 1),
  );
}

/** Returns a fault at an index of the text, in UTF-16 units. */
export function faultAt(id: string, text: string, index: number, detail: string): PolicyFault {
  const before = text.slice(0, index).split('\n');
  return { id, detail, line: before.length, column: Array.from(before.at(-1) ?? '').length + 1 };
}

/** Returns the faults of an error that Cedar found. Its places are bytes of UTF-8. */
export function faultOfCedar(id: string, text: string, error: CedarModule.DetailedError): PolicyFault {
  const { message, help, sourceLocations } = error;
  const [place] = sourceLocations ?? [];
  const index = Buffer.from(text)
    .subarray(0, place?.start ?? 0)
    .toString().length;
  const expected = place?.label ?? undefined;
  const told = [withoutId(message), ...[expected, help ?? undefined].flatMap((more) => more ?? [])];
  return faultAt(id, text, index, told.join('; '));
}

/** Returns the first message of a failure. */
export function messageOf(errors: readonly CedarModule.DetailedError[]): string {
  return errors[0]?.message ?? 'it named no reason';
}

/** Cedar's messages name the policy; the fault does that already. */
function withoutId(message: string): string {
  return (
    message
      .replace(/^for policy `[^`]*`, /, '')
      .replace(/^failed to parse policy with id `[^`]*` from string: /, '')
      // The same fault is found once for each action, in an order that is random.
      .replace(/ for Action::"[^"]*"/, '')
  );
}
