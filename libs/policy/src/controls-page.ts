import { CONTROL_NAMES } from '@mayfly/kernel';
import { CONTROL_FACTS } from './control-facts.js';

/** Returns the text of docs/controls.md. */
export function controlsPage(): string {
  const traced = CONTROL_NAMES.filter((name) => CONTROL_FACTS[name].inTrace);
  const others = CONTROL_NAMES.filter((name) => !CONTROL_FACTS[name].inTrace);
  return `<!-- Written by \`node tools/write-controls.mjs\` from libs/policy/src/control-facts.ts. -->

# Controls

A control is one condition that a request has to meet. Each gives a verdict: \`permit\`, \`deny\` or \`not_evaluated\`. A request is granted when every
control permits. A problem document names the first control that denied, in the order below, as \`control\`.

## Controls of a task

The decision on a task lists all of these, in this order, whether the task is granted or denied: in the audit entries \`task.granted\` and \`task.denied\`, and in
the answer of \`POST /tasks?dryRun=true\`. \`not_evaluated\` is a control that could not be asked, since an earlier step had nothing to ask it with.

${tableOf(traced)}
## Other controls

These refuse one step of their own and are in no decision on a task.

${tableOf(others)}`;
}

function tableOf(names: readonly (keyof typeof CONTROL_FACTS)[]): string {
  const rows = names.map((name) => {
    const { permits, help, problem } = CONTROL_FACTS[name];
    return [`\`${name}\``, permits, help, `\`${problem}\``];
  });
  const table = [['control', 'permits when', 'who can help', 'denied as'], ...rows];
  const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], filler = ' '): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, filler)).join(' | ')} |\n`;
  return [line(table[0] ?? []), line(['', '', '', ''], '-'), ...rows.map((row) => line(row))].join('');
}
