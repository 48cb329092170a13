import { readFileSync } from 'node:fs';

/** docs/connect-vault.md is what the tests set a server up by, so that it cannot be wrong. */
const PAGE = readFileSync(new URL('../../docs/connect-vault.md', import.meta.url), 'utf8');

/** The broker's policy, in JSON. */
export function documentedPolicy(): string {
  return fence('mayfly-broker.json');
}

/** The settings of the token role. */
export function documentedTokenRole(): unknown {
  return JSON.parse(fence('mayfly-token-role.json'));
}

function fence(file: string): string {
  const text = new RegExp(`\`${file.replace('.', '\\.')}\`[^]*?\`\`\`json\\n([^]*?)\`\`\``).exec(PAGE)?.[1];
  if (text === undefined) throw new Error(`the page has no ${file}`);
  return text;
}
