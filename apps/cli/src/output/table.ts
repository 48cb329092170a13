import { printable } from './notices.js';

/** Formats rows under headings; each column is as wide as its longest cell. No trailing spaces. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [headings, ...rows].map((row) => row.map((cell) => printable(cell).replace(/\s+/g, ' ')));
  const widths = headings.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)));
  return lines.map((line) => lineOf(line, widths)).join('');
}

/** Formats names and values, one pair per line, without undefined values. */
export function list(entries: Readonly<Record<string, string | undefined>>): string {
  const known = Object.entries(entries).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const widths = [Math.max(0, ...known.map(([name]) => name.length)), 0];
  return known.map(([name, value]) => lineOf([name, printable(value).replace(/\s+/g, ' ')], widths)).join('');
}

function lineOf(cells: readonly string[], widths: readonly number[]): string {
  const padded = cells.map((cell, column) => cell.padEnd(widths[column] ?? 0));
  return `${padded.join('  ').trimEnd()}\n`;
}
