import { titleOf } from './declared-file.js';
import type { ApplyStep } from './steps.js';

const LONGEST_VALUE = 100;

/** A difference, of this program or as the broker answers with it. */
interface ShownDifference {
  readonly pointer: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Returns the steps and their differences, for people. */
export function stepWords(steps: readonly ApplyStep[]): string {
  return steps.map(oneStep).join('\n');
}

function oneStep({ declared, change, file, differences, publication }: ApplyStep): string {
  const lines = [`${change.padEnd(9)}  ${titleOf(declared)}  (${file})`, ...differences.map(differenceWords)];
  if (publication !== undefined) {
    const by = publication.author === undefined ? '' : `  (the draft of ${publication.author})`;
    lines.push(`publish    ${titleOf(declared)}${by}`);
    if (change === 'unchanged') lines.push(...publication.differences.map(differenceWords));
  }
  return lines.join('\n');
}

/** Returns one difference, for people. */
export function differenceWords({ pointer, before, after }: ShownDifference): string {
  if (before === undefined) return `           + ${pointer}: ${shown(after)}`;
  if (after === undefined) return `           - ${pointer}: ${shown(before)}`;
  return `           ~ ${pointer}: ${shown(before)} → ${shown(after)}`;
}

/** Shortens a value, and removes the password of a URL. */
function shown(value: unknown): string {
  const text = JSON.stringify(value).replace(/(:\/\/[^/:@"\s]*):[^/@"\s]*@/g, '$1:…@');
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}…`;
}
