import { readFileSync } from 'node:fs';

/** The tests set up servers from docs/connect-vault.md, so that a fault in the page fails a test. */
const PAGE = readFileSync(new URL('../../docs/connect-vault.md', import.meta.url), 'utf8');

/** Returns the broker's policy, in JSON. */
export function documentedPolicy(): string {
  return fence('mayfly-broker.json');
}

/** Returns the settings of the token role. */
export function documentedTokenRole(): unknown {
  return JSON.parse(fence('mayfly-token-role.json'));
}

function fence(file: string): string {
  const text = new RegExp(`\`${file.replace('.', '\\.')}\`[^]*?\`\`\`json\\n([^]*?)\`\`\``).exec(PAGE)?.[1];
  if (text === undefined) throw new Error(`the page has no ${file}`);
  return text;
}
