import { requirePlain, type ToolVariables } from '@mayfly/sdk';
import type { Variables } from '../config.js';

/** Variables that lead to an identity token. Their reader could request other tasks, so commands do not get them. */
const IDENTITY = /^(MAYFLY_(TOKEN(_\w*)?|ID_TOKEN)|ACTIONS_ID_TOKEN_REQUEST_(URL|TOKEN)|SPIFFE_JWT_SVID_FILE)$/;

/**
 * Builds the environment of a command: the inherited variables without the withheld ones, plus the given ones. Throws
 * `UnusableCredential` for a value with a control character.
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
