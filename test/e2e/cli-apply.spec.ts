import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { JsonObject } from '@mayfly/kernel';
import { startTestBroker, type TestBroker } from '../support/broker.js';
import { HAS_SCRIPT, runCli, startAtTerminal } from '../support/cli.js';
import { agentDocument, connectionDocument, issuerDocument, templateDocument, yamlOf } from '../support/documents.js';

let mayfly: TestBroker;
let directory: string;
beforeAll(async () => {
  mayfly = await startTestBroker({ documents: yamlOf(agentDocument('first')) });
  directory = mkdtempSync(join(tmpdir(), 'mayfly-apply-'));
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await mayfly.stop();
});

const as = (subject: string) => ({ MAYFLY_URL: mayfly.url, MAYFLY_TOKEN: mayfly.personToken('platform', subject) });

interface Applied {
  readonly kind: string;
  readonly name: string;
  readonly change: string;
  readonly outcome: string;
}

/** Writes the files anew and applies them. */
async function apply(documents: readonly JsonObject[], subject = 'author', ...more: readonly string[]) {
  writeFileSync(join(directory, 'all.yaml'), yamlOf(...documents));
  const ran = await runCli(as(subject), 'apply', '-f', directory, ...more);
  const answer = (ran.stdout === '' ? {} : JSON.parse(ran.stdout)) as { readonly documents?: readonly Applied[] };
  const { documents: applied = [] } = answer;
  const told = applied.map(({ kind, name, change, outcome }) => `${kind}/${name} ${change} ${outcome}`);
  return { ...ran, told, documents: applied };
}

const declared = async (path: string) => mayfly.send(`GET ${path}`, { token: mayfly.personToken('platform') });

const auditCount = async (): Promise<number> => {
  const { rowCount } = await mayfly.broker.services.database.pool.query(
    `SELECT FROM public.audit_entry WHERE type ~ '^(declaration|template|agent|connection)[.]'`,
  );
  return rowCount ?? 0;
};

const LABELS = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`label-${String(index)}`, 'y'.repeat(40)]));
const WAREHOUSE = {
  ...{ name: 'db', provider: 'postgres' },
  scope: { grants: [{ schema: 'emea', tables: ['cases'], verbs: ['select'] }] },
};
const TEMPLATE = templateDocument('read-cases');
const AGENT = agentDocument('second');
const CONNECTION = connectionDocument('crm');

describe('mayfly apply', () => {
  it('mayfly apply shows with --dry-run what it would do, and does nothing', async () => {
    const ran = await apply([TEMPLATE, AGENT, CONNECTION], 'author', '--dry-run');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.told).toEqual([
      'Connection/crm create not attempted',
      'Agent/second create not attempted',
      'TaskTemplate/read-cases create not attempted',
    ]);
    expect((await apply([AGENT], 'author', '--dry-run', '--exit-code')).code).toBe(1);
    expect(await declared('/agents/second')).toMatchObject({ status: 404 });
  });

  it('mayfly apply --dry-run lists every refusal of the broker once, and the run gives the same', async () => {
    const issuer = issuerDocument('mesh', { issuer: 'https://mesh.example' });
    const twin = issuerDocument('twin', { issuer: 'https://mesh.example', algorithms: ['PS256'] });
    const identity = { issuer: 'mesh', subject: 'one', runtime: 'developer-laptop' };
    const bound = agentDocument('bound', { identities: [identity] });
    const rival = agentDocument('rival', { identities: [{ ...identity, issuer: 'nobody-knows' }] });
    const broken = templateDocument('broken', { credentials: [{ ...WAREHOUSE, connection: 'nowhere' }] });
    const unasked = templateDocument('unasked', { credentials: [{ ...WAREHOUSE, connection: 'crm' }] });
    const documents = [broken, unasked, bound, rival, twin, issuer, CONNECTION];
    const before = await auditCount();
    const ran = await apply(documents, 'author', '--dry-run');
    expect(ran.code).toBe(3);
    const titles = ran.stderr
      .split('\n')
      .flatMap((line) => /^mayfly: (.*?) {2}([A-Z]\w*\/\w+)/.exec(line)?.slice(1) ?? []);
    expect(titles).toEqual([
      ...['would be refused', 'Issuer/mesh', 'would be refused', 'Agent/rival'],
      ...['error', 'TaskTemplate/broken', 'warning', 'TaskTemplate/unasked'],
    ]);
    expect(ran.stderr.match(/declares the same issuer with another `algorithms`/g)).toHaveLength(1);
    expect(ran.stderr.match(/nobody-knows/g)).toHaveLength(1);
    expect(ran.stderr).toMatch(/MF302 at \/spec\/credentials\/0\/connection: there is no connection `nowhere`/);
    expect(ran.stderr).toMatch(/connection `crm` is new or changed here; Mayfly examines its target at publication/);
    expect(ran.stderr).toContain('2 of 7 would be refused');
    expect(await auditCount()).toBe(before);
    for (const path of ['/issuers/twin', '/agents/bound', '/templates/unasked'])
      expect(await declared(path)).toMatchObject({ status: 404 });
    const refused = await apply([rival], 'author');
    const said = (stderr: string) => /Agent\/rival {2}.*$/m.exec(stderr)?.[0];
    expect(said(refused.stderr)).toBe(said(ran.stderr));
  });

  it('mayfly apply --dry-run --publish says why a template would not be published', async () => {
    const broken = templateDocument('broken', { credentials: [{ ...WAREHOUSE, connection: 'nowhere' }] });
    const ran = await apply([broken], 'author', '--dry-run', '--publish');
    expect(ran.code).toBe(3);
    expect(ran.stderr).toContain('would be applied as a draft, not published  TaskTemplate/broken');
    expect(ran.stderr).toContain('a person who changed a draft cannot publish it (control `four-eyes`)');
    await apply([broken], 'author');
    const byAnother = await apply([broken], 'publisher', '--dry-run', '--publish');
    expect(byAnother.code).toBe(3);
    expect(byAnother.stderr.match(/there is no connection `nowhere`/g)).toHaveLength(1);
    const published = await apply([broken], 'publisher', '--publish');
    expect(published.stderr).toContain('the template breaks rule MF302: there is no connection `nowhere`');
  });

  it('mayfly apply --dry-run accepts a run that is longer than one document may be', async () => {
    const many = Array.from({ length: 90 }, (_, index) =>
      agentDocument(`many-${String(index)}`, { owner: 'x'.repeat(60) }),
    );
    const labelled = many.map((one, index) => ({
      ...one,
      metadata: { name: `many-${String(index)}`, labels: LABELS },
    }));
    expect(JSON.stringify(labelled).length).toBeGreaterThan(65_536);
    expect(await apply(labelled, 'author', '--dry-run')).toMatchObject({ code: 0, stderr: '' });
  });

  it('mayfly apply creates new documents after those that they name, and templates as drafts', async () => {
    const ran = await apply([TEMPLATE, AGENT, CONNECTION]);
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(ran.told).toEqual([
      'Connection/crm create applied',
      'Agent/second create applied',
      'TaskTemplate/read-cases create applied',
    ]);
    expect((await declared('/templates/read-cases')).body).toMatchObject({ state: 'draft', inForce: null });
  });

  it('mayfly apply changes nothing when it is run again', async () => {
    const ran = await apply([TEMPLATE, AGENT, CONNECTION]);
    expect(ran.code).toBe(0);
    expect(ran.told.every((line) => line.endsWith('unchanged unchanged'))).toBe(true);
    expect((await declared('/agents/second')).body).toMatchObject({ revision: 1 });
    expect((await apply([AGENT], 'author', '--dry-run', '--exit-code')).code).toBe(0);
  });

  it('mayfly apply does not let the author of a draft publish it, and says who may; another member does with the same command', async () => {
    const refused = await apply([TEMPLATE, AGENT], 'author', '--publish');
    expect(refused.code).toBe(3);
    expect(refused.told).toContain('TaskTemplate/read-cases unchanged unchanged');
    expect(refused.stderr).toContain('not published  TaskTemplate/read-cases');
    expect(refused.stderr).toContain('a person who changed a draft cannot publish it (control `four-eyes`)');
    expect(refused.stderr).toContain('ask another member of the platform team to read and publish it');
    const published = await apply([TEMPLATE, AGENT], 'publisher', '--publish');
    expect(published).toMatchObject({ code: 0, stderr: '' });
    expect(published.told).toContain('TaskTemplate/read-cases unchanged published');
    expect((await declared('/templates/read-cases')).body).toMatchObject({ state: 'published', currentVersion: 1 });
    expect((await apply([TEMPLATE], 'publisher', '--publish')).told).toEqual([
      'TaskTemplate/read-cases unchanged unchanged',
    ]);
  });

  it('mayfly apply shows where a document differs, and replaces just that', async () => {
    const changed = agentDocument('second', { owner: 'another-team' });
    const ran = await apply([changed, CONNECTION]);
    expect(ran.documents.find(({ name }) => name === 'second')).toMatchObject({
      change: 'update',
      outcome: 'applied',
      differences: [{ pointer: '/spec/owner', before: 'support-platform', after: 'another-team' }],
    });
    expect((await declared('/agents/second')).body).toMatchObject({ revision: 2, spec: { owner: 'another-team' } });
    expect((await declared('/connections/crm')).body).toMatchObject({ revision: 1 });
  });

  it('mayfly apply tells exactly how far it came when one document is refused, and continues from there', async () => {
    const orphan = agentDocument('orphan', {
      identities: [{ issuer: 'nobody-knows', subject: 'orphan', runtime: 'developer-laptop' }],
    });
    const documents = [connectionDocument('billing'), orphan, templateDocument('later')];
    const ran = await apply(documents);
    expect(ran.code).toBe(3);
    expect(ran.told).toEqual([
      'Connection/billing create applied',
      'Agent/orphan create failed',
      'TaskTemplate/later create not attempted',
    ]);
    expect(ran.stderr).toContain('failed  Agent/orphan');
    expect(ran.stderr).toContain('1 changed, 0 unchanged, 1 refused or of unknown outcome, 1 not attempted');
    const again = await apply([documents[0]!, agentDocument('orphan'), documents[2]!]);
    expect(again.told).toEqual([
      'Connection/billing unchanged unchanged',
      'Agent/orphan create applied',
      'TaskTemplate/later create applied',
    ]);
  });

  it('mayfly apply sends nothing of files that are wrong, and says where', async () => {
    const ran = await apply([agentDocument('never'), { kind: 'Agent', metadata: { name: 'Not A Name' }, spec: {} }]);
    expect(ran).toMatchObject({ code: 2, stdout: '' });
    expect(ran.stderr).toMatch(/all\.yaml:\d+: metadata\.name: /);
    expect(await declared('/agents/never')).toMatchObject({ status: 404 });
  });

  it('mayfly apply is for the platform team', async () => {
    writeFileSync(join(directory, 'all.yaml'), yamlOf(AGENT));
    const auditor = { MAYFLY_URL: mayfly.url, MAYFLY_TOKEN: mayfly.personToken('approver') };
    expect(await runCli(auditor, 'apply', '-f', directory)).toMatchObject({ code: 3, stdout: '' });
  });

  (HAS_SCRIPT ? it : it.skip)('shows people the difference first, then each step', async () => {
    writeFileSync(join(directory, 'all.yaml'), yamlOf(agentDocument('second', { owner: 'a-third-team' }), CONNECTION));
    const { stdout, code } = await startAtTerminal(as('author'), 'apply', '-f', directory).left;
    expect(code).toBe(0);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => line.replace(/\(.*\)/, '(FILE)')),
    ).toEqual([
      'unchanged  Connection/crm  (FILE)',
      'update     Agent/second  (FILE)',
      '           ~ /spec/owner: "another-team" → "a-third-team"',
      'applied  Agent/second',
      '1 changed, 1 unchanged',
    ]);
  });
});

describe('the life of agents and connections', () => {
  const operator = () => ({ MAYFLY_URL: mayfly.url, MAYFLY_TOKEN: mayfly.personToken('operator') });

  it.each([
    ['activate', 'active'],
    ['suspend', 'suspended'],
    ['retire', 'retired'],
  ])('the CLI moves an agent by `agents %s`', async (step, state) => {
    const ran = await runCli(operator(), 'agents', step, 'second');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toMatchObject({ name: 'second', state });
  });

  it.each(['disable', 'enable'])('the CLI moves a connection by `connections %s`', async (step) => {
    const ran = await runCli(operator(), 'connections', step, 'crm');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(ran.stdout)).toMatchObject({ name: 'crm' });
  });

  it('the CLI exits with 1 and names the failed check of a connection', async () => {
    const ran = await runCli(operator(), 'connections', 'test', 'crm');
    expect(ran.code).toBe(1);
    expect(JSON.parse(ran.stdout)).toMatchObject({ connection: 'crm', ok: false });
    expect((await runCli(operator(), 'connections', 'test', 'missing')).code).toBe(3);
  });
});
