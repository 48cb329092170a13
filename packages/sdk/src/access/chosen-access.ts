import type { ToolAccess } from './tool-access.js';
import { UnusableCredential } from './unusable-credential.js';

/** A converted credential with its name. */
export interface NamedAccess {
  readonly name: string;
  readonly access: ToolAccess;
}

const SAYS = { aws: 'AWS sessions', postgres: 'database logins' } as const;
type Exclusive = keyof typeof SAYS;

/**
 * Returns the one credential of a family whose tools read fixed variables; undefined when the task has none. Throws
 * `UnusableCredential` when the task has several and `picked` does not choose one.
 */
export function chosenAccess<Family extends Exclusive>(
  family: Family,
  all: readonly NamedAccess[],
  picked: readonly string[],
): (NamedAccess & { readonly access: Extract<ToolAccess, { family: Family }> }) | undefined {
  type Chosen = NamedAccess & { readonly access: Extract<ToolAccess, { family: Family }> };
  const candidates = all.filter((one): one is Chosen => one.access.family === family);
  const wanted = candidates.filter(({ name }) => picked.includes(name));
  const left = wanted.length > 0 ? wanted : candidates;
  if (left.length < 2) return left[0];
  const names = left.map(({ name }) => `\`${name}\``).join(' and ');
  throw new UnusableCredential('ambiguous', `the task has several ${SAYS[family]}: ${names}`, 'name one of them');
}
