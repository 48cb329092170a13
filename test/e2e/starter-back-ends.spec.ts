import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { parseAllDocuments } from 'yaml';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { starterWith } from '../support/starter.js';

const SETS = ['config/back-ends', 'deploy/compose/back-ends'];

async function documentsOf(directory: string): Promise<JsonObject[]> {
  const texts = await Promise.all((await readdir(directory)).map((file) => readFile(join(directory, file), 'utf8')));
  return texts.flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as JsonObject));
}

describe.each(SETS)('the documents in %s, beside the starter files', (directory) => {
  let broker: TestBroker;
  let documents: JsonObject[];
  beforeAll(async () => {
    documents = await documentsOf(directory);
    broker = await startTestBroker(await starterWith(...documents));
  });
  afterAll(() => broker.stop());

  const named = (kind: string) => documents.filter((document) => document.kind === kind);
  const nameOf = ({ metadata }: JsonObject) => (metadata as JsonObject).name as string;

  it('the documents of a back end are taken by the providers that they are for', async () => {
    for (const connection of named('Connection')) {
      const token = broker.personToken('platform');
      const { body } = await broker.send(`GET /connections/${nameOf(connection)}`, { token });
      expect(body).toMatchObject({ name: nameOf(connection), state: 'enabled' });
    }
    expect(named('Connection').map(nameOf).sort()).toEqual(['aws-crm', 'vault-main']);
  });

  it('the documents of a back end have templates against which the linter holds nothing but that they end in /*', async () => {
    const found: Record<string, unknown> = {};
    for (const template of named('TaskTemplate')) {
      const { status, body } = await broker.send('POST /templates/lint', {
        token: broker.personToken('platform'),
        body: template,
      });
      expect(status).toBe(200);
      // MF310: what the targets themselves say, which are not there.
      const rules = (body.findings as JsonObject[]).map(({ rule }) => rule as string);
      found[nameOf(template)] = rules.filter((rule) => rule !== 'MF310');
    }
    expect(found).toEqual({ 'support-export-bucket': ['MF208', 'MF208'], 'warehouse-write': [] });
  });

  it('the documents of a back end are for agents that the starter files have', async () => {
    for (const [agent, template] of [
      ['support-agent', 'support-export-bucket'],
      ['code-agent', 'warehouse-write'],
    ] as const) {
      const { body } = await broker.send('GET /me', { token: broker.agentToken(agent) });
      expect(JSON.stringify(body)).toContain(`"${template}"`);
    }
  });
});
