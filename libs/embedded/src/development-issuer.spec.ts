import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { IssuerSpecSchema } from '@mayfly/identity';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createLocalJWKSet, decodeJwt, jwtVerify, type JSONWebKeySet, type JWTPayload } from 'jose';
import {
  developmentIssuer,
  type DevelopmentIssuer,
  type DevelopmentIssuerDocument,
  type DevelopmentTokenOrder,
} from './development-issuer.js';

const NOW = new Date('2026-06-01T12:00:00Z');
const clock = { now: () => NOW };

describe('the development issuer', () => {
  let dataDir: string;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'mayfly-issuer-'));
  });

  afterEach(() => {
    rmSync(dataDir, { recursive: true });
  });

  const open = (): Promise<DevelopmentIssuer> => developmentIssuer(dataDir, { production: false, create: true, clock });

  it('the development issuer keeps its keys in a file that only its owner can read', async () => {
    await open();
    expect(readdirSync(dataDir)).toEqual(['development-issuer.json']);
    expect(statSync(join(dataDir, 'development-issuer.json')).mode & 0o777).toBe(0o600);
  });

  it('the development issuer makes a data directory that is missing', async () => {
    dataDir = join(dataDir, 'new');
    await open();
    expect(statSync(dataDir).mode & 0o066).toBe(0);
    dataDir = join(dataDir, '..');
  });

  it('the development issuer is the same issuer each time, and another one in another directory', async () => {
    const [first, again] = [await open(), await open()];
    expect(again.documents).toEqual(first.documents);
    const elsewhere = await developmentIssuer(join(dataDir, 'other'), { production: false, create: true });
    expect(elsewhere.documents).not.toEqual(first.documents);
  });

  it('the development issuer is made by the service alone: nobody else makes a second one, or a directory', async () => {
    const missing = join(dataDir, 'elsewhere');
    await expect(developmentIssuer(missing, { production: false })).rejects.toMatchObject({
      code: 'not_found',
      detail: expect.stringContaining('MAYFLY_DATA_DIR'),
    });
    expect(readdirSync(dataDir)).toEqual([]);
    const { documents } = await open();
    expect((await developmentIssuer(dataDir, { production: false })).documents).toEqual(documents);
  });

  it('the development issuer refuses to exist in production, and makes no keys there', async () => {
    await expect(developmentIssuer(dataDir, { production: true, create: true })).rejects.toMatchObject({
      code: 'forbidden',
    });
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('the development issuer is one issuer for processes that race to make it', async () => {
    const module = JSON.stringify(new URL('./development-issuer.ts', import.meta.url).href);
    const loader = fileURLToPath(new URL('../../../tools/run-typescript.mjs', import.meta.url));
    const code = `import { developmentIssuer } from ${module};
      const issuer = await developmentIssuer(process.argv[1], { production: false, create: true });
      console.log(JSON.stringify(issuer.documents));`;
    const race = () =>
      promisify(execFile)(process.execPath, ['--import', loader, '--input-type=module', '-e', code, dataDir]);
    const answers = await Promise.all([race(), race()]);
    expect(new Set(answers.map(({ stdout }) => stdout))).toHaveProperty('size', 1);
    expect(readdirSync(dataDir)).toEqual(['development-issuer.json']);
  });

  describe('its documents', () => {
    it('the documents of the development issuer are declarations that the identity room accepts, with public keys only', async () => {
      const { documents } = await open();
      expect(documents.map(({ metadata, spec }) => [metadata.name, spec.issuer])).toEqual([
        ['development', 'urn:mayfly:development'],
        ['development-staff', 'urn:mayfly:development-staff'],
      ]);
      for (const { spec } of documents) expect(IssuerSpecSchema.safeParse(spec).error).toBeUndefined();
      expect(JSON.stringify(documents)).not.toMatch(/"d":|PRIVATE/);
    });

    it('the documents of the development issuer let the staff issuer alone speak for people', async () => {
      const [workloads, staff] = (await open()).documents;
      expect(workloads?.spec.roles).toBeUndefined();
      expect(Object.keys(staff?.spec.roles ?? {})).toEqual([
        'platform',
        'approver',
        'operator',
        'auditor',
        'administrator',
      ]);
      expect(staff?.spec.roles?.auditor).toEqual({ claim: 'roles', values: ['auditor'] });
    });
  });

  describe('its tokens', () => {
    it.each<[string, DevelopmentTokenOrder, number, JWTPayload]>([
      ['an agent', { agent: 'support-agent' }, 0, { sub: 'support-agent' }],
      ['a resource server', { resourceServer: 'cases' }, 0, { sub: 'resource-server/cases' }],
      ['a role', { role: 'auditor' }, 1, { sub: 'dev-auditor', roles: ['auditor'] }],
      ['a second person', { role: 'platform', subject: 'reviewer' }, 1, { sub: 'reviewer', roles: ['platform'] }],
    ])('the tokens of the development issuer speak for %s', async (_, order, index, claims) => {
      const issuer = await open();
      const payload = await verify(await issuer.issueToken(order), issuer.documents[index]!);
      expect(payload).toMatchObject(claims);
      expect('roles' in payload).toBe('roles' in claims);
    });

    it('the tokens of the development issuer live one hour and each has an id of its own', async () => {
      const issuer = await open();
      const first = decodeJwt(await issuer.issueToken({ agent: 'a' }));
      const second = decodeJwt(await issuer.issueToken({ agent: 'a' }));
      expect(first.iat).toBe(NOW.getTime() / 1000);
      expect(first.exp).toBe(NOW.getTime() / 1000 + 3600);
      expect(first.jti).not.toBe(second.jti);
    });

    it('the tokens of development workloads are not accepted as those of people', async () => {
      const issuer = await open();
      const token = await issuer.issueToken({ agent: 'dev-auditor' });
      await expect(verify(token, issuer.documents[1]!)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    });
  });
});

async function verify(token: string, { spec }: DevelopmentIssuerDocument): Promise<JWTPayload> {
  const keys = createLocalJWKSet(spec.keys.jwks as JSONWebKeySet);
  const { issuer, audiences, algorithms } = spec;
  const { payload } = await jwtVerify(token, keys, { issuer, audience: audiences, algorithms, currentDate: NOW });
  return payload;
}
