import { systemCodeOf } from '@mayfly/client';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CommandFailure, usageFailure } from '../command-failure.js';
import type { IdentityPlaces } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { ActionsToken } from './actions-token.js';
import { compactToken, type IdentityToken } from './compact-token.js';

/** The path of a pod's projected service account token, with the volume of docs/cli.md. */
const KUBERNETES_TOKEN_FILE = '/var/run/secrets/mayfly/token';

/** Returns the first available token source, in the order of docs/cli.md. Throws a usage failure without any. */
export function identityToken(places: IdentityPlaces, kubernetesFile = KUBERNETES_TOKEN_FILE): IdentityToken {
  const { token, tokenFile, idToken, actions, spiffeFile } = places;
  if (token !== undefined) return held(token, 'MAYFLY_TOKEN');
  if (tokenFile !== undefined) return inFile(tokenFile, []);
  if (existsSync(kubernetesFile)) return inFile(kubernetesFile, []);
  if (idToken !== undefined) return held(idToken, 'MAYFLY_ID_TOKEN');
  if (actions !== undefined) return new ActionsToken(actions);
  if (spiffeFile !== undefined) return inFile(spiffeFile, ['SPIFFE_JWT_SVID_FILE']);
  throw usageFailure(
    'there is no identity token',
    'set MAYFLY_TOKEN or MAYFLY_TOKEN_FILE, or use --token-file; at the development service: `npm run -s token -- --agent NAME`',
  );
}

function held(text: string, variable: string): IdentityToken {
  return { variables: [variable], place: variable, read: async () => compactToken(text, variable) };
}

function inFile(path: string, variables: readonly string[]): IdentityToken {
  return {
    variables,
    place: resolve(path),
    read: async () => {
      const text = await readFile(path, 'utf8').catch((error: unknown) => {
        throw new CommandFailure(
          EXIT.usage,
          `the token file \`${path}\` cannot be read (${systemCodeOf(error) ?? 'unknown'})`,
        );
      });
      return compactToken(text, `the file \`${path}\``);
    },
  };
}
