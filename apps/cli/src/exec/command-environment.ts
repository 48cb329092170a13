import { requirePlain, type ToolVariables } from '@mayfly/sdk';
import type { Variables } from '../config.js';

/** Names of variables that lead to an identity token: whoever has it can ask for more than this task. */
const IDENTITY = /^(MAYFLY_(TOKEN(_\w*)?|ID_TOKEN)|ACTIONS_ID_TOKEN_REQUEST_(URL|TOKEN)|SPIFFE_JWT_SVID_FILE)$/;

/**
 * The environment of a command: what it inherits, less what is withheld from it, and what it is given. Throws
 * `UnusableCredential` when a value could be taken for more than one value by whoever writes it down.
 */
export function commandEnvironment(
  inherited: Variables,
  given: readonly ToolVariables[],
  withheldNames: readonly string[],
): Record<string, string> {
  const set = Object.assign({}, ...given.map((variables) => variables.set)) as Record<string, string>;
  for (const [name, value] of Object.entries(set)) requirePlain(name, value);
  const isWithheld = (name: string): boolean =>
    IDENTITY.test(name) || withheldNames.includes(name) || given.some(({ withholds }) => withholds(name));
  const kept = Object.entries(inherited).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !isWithheld(entry[0]),
  );
  return { ...Object.fromEntries(kept), ...set };
}
