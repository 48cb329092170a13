import type { Broker } from './service.js';

/** Says where the service is and, in the embedded default, prints a first request that can be pasted. */
export function printWelcome({ url, backing }: Broker): void {
  const lines = [`mayfly: ready on ${url}`];
  if (backing.embedded !== undefined)
    lines.push('', 'A first request, to paste into another terminal:', '', firstRequest(url), '');
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** The request of the README: an agent names a task and gets a database role and a token for it. */
function firstRequest(url: string): string {
  const body = {
    template: 'support-read-cases',
    parameters: { region: 'emea' },
    purpose: 'answer ticket 4711',
    ttlSeconds: 900,
  };
  return [
    `  curl -s ${url}/tasks \\`,
    '    -H "Authorization: Bearer $(npm run -s token -- --agent support-agent)" \\',
    "    -H 'Content-Type: application/json' \\",
    `    -d '${JSON.stringify(body)}'`,
  ].join('\n');
}
