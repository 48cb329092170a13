import { projectFile } from './project-file.js';
import type { Broker } from './service.js';

/** Says where the service is and, in the embedded default, prints a first request that can be pasted. */
export function printWelcome({ url, backing, services }: Pick<Broker, 'url' | 'backing' | 'services'>): void {
  const lines = [`mayfly: ready on ${url}`];
  if (backing.embedded !== undefined)
    lines.push(
      '',
      'A first request, to paste into another terminal in this directory:',
      '',
      firstRequest(url, services.config.dataDir),
      '',
    );
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The request of the README: an agent names a task and gets a database role and a token for it. */
function firstRequest(url: string, dataDir: string): string {
  const body = {
    template: 'support-read-cases',
    parameters: { region: 'emea' },
    purpose: 'answer ticket 4711',
    ttlSeconds: 900,
  };
  // `npm run` starts in the directory of the project, where the issuer of another data directory is not looked for.
  const setting = dataDir === projectFile('.mayfly') ? '' : `MAYFLY_DATA_DIR=${quoted(dataDir)} `;
  return [
    `  curl -s ${url}/tasks \\`,
    `    -H "Authorization: Bearer $(${setting}npm run -s token -- --agent support-agent)" \\`,
    "    -H 'Content-Type: application/json' \\",
    `    -d '${JSON.stringify(body)}'`,
  ].join('\n');
}

/** A word of the shell, whatever the text holds. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
