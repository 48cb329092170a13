import { parseArgs } from 'node:util';
import { RoleSchema } from '@mayfly/identity';
import { Problem } from '@mayfly/kernel';
import { developmentIssuer, type DevelopmentTokenOrder } from '@mayfly/embedded';
import { readConfig } from './config.js';

const USAGE = `usage: npm run -s token -- --agent NAME | --role ROLE [--subject WHO] | --resource-server NAME
  a token of the development issuer of MAYFLY_DATA_DIR, for one hour
  ROLE is one of ${RoleSchema.options.join(', ')}`;

/** Prints one token of the development issuer. */
async function main(): Promise<void> {
  const config = readConfig();
  const issuer = await developmentIssuer(config.dataDir, { production: config.production });
  process.stdout.write(`${await issuer.issueToken(readOrder())}\n`);
}

function readOrder(): DevelopmentTokenOrder {
  const text = { type: 'string' } as const;
  const options = { agent: text, role: text, subject: text, 'resource-server': text };
  const { agent, role, subject, 'resource-server': resourceServer } = parseArgs({ options }).values;
  const given = [agent, role, resourceServer].filter((value) => value !== undefined);
  if (given.length !== 1) throw new Problem('invalid_request', USAGE);
  if (agent !== undefined) return { agent };
  if (resourceServer !== undefined) return { resourceServer };
  const known = RoleSchema.safeParse(role);
  if (!known.success) throw new Problem('invalid_request', USAGE);
  return { role: known.data, ...(subject === undefined ? {} : { subject }) };
}

main().catch((error: unknown) => {
  const reason = error instanceof Problem ? error.detail : error instanceof Error ? error.message : String(error);
  process.stderr.write(`${reason}\n`);
  process.exit(1);
});
