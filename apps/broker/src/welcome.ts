import { projectFile } from '@mayfly/service';
import type { Broker } from './broker.js';

/** Prints the service's address and, in the embedded default, a first request to paste. */
export function printWelcome({ url, backing, services }: Pick<Broker, 'url' | 'backing' | 'services'>): void {
  const lines = [`mayfly: ready on ${url}`];
  if (backing.embedded !== undefined)
    lines.push(
      '',
      'A first request, to paste into another terminal in this directory:',
      '',
      firstRequest(url, services.settings.dataDir),
      '',
    );
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Returns the README's first request: an agent gets a database role and a token for one task. */
function firstRequest(url: string, dataDir: string): string {
  const body = {
    template: 'support-read-cases',
    parameters: { region: 'emea' },
    purpose: 'answer ticket 4711',
    ttlSeconds: 900,
  };
  // `npm run` starts in the project directory and looks only there for the issuer of `.mayfly`.
  const setting = dataDir === projectFile('.mayfly') ? '' : `MAYFLY_DATA_DIR=${quoted(dataDir)} `;
  return [
    `  curl -s ${url}/tasks \\`,
    `    -H "Authorization: Bearer $(${setting}npm run -s token -- --agent support-agent)" \\`,
    "    -H 'Content-Type: application/json' \\",
    `    -d '${JSON.stringify(body)}'`,
  ].join('\n');
}

/** Quotes any text as one shell word. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
