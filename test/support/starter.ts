import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { JsonObject } from '@mayfly/kernel';
import { prepareDemoDatabase } from '@mayfly/embedded';
import { startTestPostgres } from '@mayfly/testing';
import { starterFiles } from './broker.js';
import { yamlOf } from './documents.js';

/** The starter files plus documents of a test, and their demo database. */
export interface Starter {
  readonly documents: string;
  readonly environment: { readonly CRM_DATABASE_URL: string };
  /** the demo database, as the superuser of its server */
  readonly targetUrl: string;
}

export async function starterWith(...more: readonly JsonObject[]): Promise<Starter> {
  const { server } = await startTestPostgres();
  const files = await Promise.all((await starterFiles()).map((file) => readFile(join('config', file), 'utf8')));
  return {
    documents: [...files, yamlOf(...more)].filter((text) => text !== '').join('\n---\n'),
    environment: { CRM_DATABASE_URL: await prepareDemoDatabase(server) },
    targetUrl: server.url('crm', 'postgres'),
  };
}

/** `spec.credentials` of a template for one table of the demo database. */
export const READ_CASES = [
  {
    name: 'db',
    provider: 'postgres',
    connection: 'crm',
    scope: { grants: [{ schema: 'emea', tables: ['cases'], verbs: ['select'] }] },
  },
];
