import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { Declaration } from '@mayfly/declarations';
import { applyBootstrapIssuers } from './bootstrap-issuers.js';

/** Keeps what it is told to apply. */
class FakeDeclarations {
  readonly applied: string[] = [];

  apply(documents: readonly Declaration[], { name }: { readonly name: string }) {
    this.applied.push(...documents.map(({ kind, metadata }) => `${name}: ${kind}/${metadata.name}`));
    return Promise.resolve({ changes: [], warnings: [] });
  }
}

let directory: string;
let store: FakeDeclarations;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mayfly-bootstrap-'));
  store = new FakeDeclarations();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const issuer = (name: string) => ({
  kind: 'Issuer',
  metadata: { name },
  spec: {
    profile: 'oidc',
    issuer: `https://${name}.example`,
    audiences: ['mayfly'],
    algorithms: ['ES256'],
    keys: { discovery: true },
    roles: { platform: { claim: 'groups', values: ['platform'] } },
  },
});

async function apply(...documents: readonly unknown[]): Promise<unknown> {
  const path = join(directory, 'people.json');
  await writeFile(path, documents.map((document) => JSON.stringify(document)).join('\n---\n'));
  return applyBootstrapIssuers(store, path);
}

describe('the bootstrap file', () => {
  it('the bootstrap file declares issuers in the name of the operator', async () => {
    await apply(issuer('staff'), issuer('partners'));
    expect(store.applied).toEqual(['staff', 'partners'].map((name) => `mayfly:bootstrap-issuers: Issuer/${name}`));
  });

  it('the bootstrap file declares nothing when anything in it is no issuer', async () => {
    const connection = {
      kind: 'Connection',
      metadata: { name: 'crm' },
      spec: { provider: 'x', owner: 'a', config: {} },
    };
    await expect(apply(issuer('staff'), connection)).rejects.toMatchObject({
      code: 'invalid_declaration',
      detail: expect.stringContaining('Connection/crm'),
    });
    expect(store.applied).toEqual([]);
  });

  it('the bootstrap file stops the start when it is wrong or not there', async () => {
    await expect(apply({ ...issuer('staff'), specs: {} })).rejects.toMatchObject({ code: 'invalid_declaration' });
    const missing = applyBootstrapIssuers(store, join(directory, 'nowhere.yaml'));
    await expect(missing).rejects.toMatchObject({
      code: 'invalid_declaration',
      detail: expect.stringMatching(/nowhere/),
    });
  });
});
