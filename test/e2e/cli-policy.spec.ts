import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { runCli } from '../support/cli.js';

const directory = mkdtempSync(join(tmpdir(), 'mayfly-policy-'));
afterAll(() => {
  rmSync(directory, { recursive: true, force: true });
});

const write = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
/** Without a broker and without a token: the command needs neither. */
const test = (policies: string, cases: string, ...more: readonly string[]) =>
  runCli({}, 'policy', 'test', '-f', policies, '-c', cases, ...more);

describe('docs/policies.md', () => {
  it('docs/policies.md shows the policies that the example has', () => {
    const page = readFileSync('docs/policies.md', 'utf8');
    const [, example = 'absent'] = /```yaml\n(.*?)```/s.exec(page) ?? [];
    expect(readFileSync('config/policies/guardrails.yaml', 'utf8')).toContain(example);
  });
});

describe('mayfly policy test', () => {
  it('mayfly policy test, as docs/policies.md calls it, leaves with 0 when every verdict is the expected one', async () => {
    const page = readFileSync('docs/policies.md', 'utf8');
    const [, ...words] = /```sh\nnpx (mayfly policy test .*)\n```/.exec(page)?.[1]?.split(' ') ?? [];
    const { code, stdout } = await runCli({}, ...words);
    const { passed, cases } = JSON.parse(stdout) as { passed: boolean; cases: { passed: boolean }[] };
    expect([code, passed, cases.length]).toEqual([0, true, 200]);
  });

  it('mayfly policy test leaves with 1 when a verdict differs, and says which and how', async () => {
    const cases = write(
      'cases.yaml',
      'kind: PolicyCases\ncases:\n  - { name: open, given: { treeDepth: 3 }, expect: { outcome: permit } }',
    );
    const { code, stdout, stderr } = await test('config/policies', cases);
    expect(code).toBe(1);
    expect(stderr).toContain(`${cases}: open: outcome: expected "permit", got "deny"`);
    expect(stderr).toContain('1 cases, 1 with another verdict');
    expect(JSON.parse(stdout)).toMatchObject({
      passed: false,
      cases: [{ verdict: { policies: ['Policy/guardrails/depth'] } }],
    });
  });

  it('mayfly policy test leaves with 2 for policies and cases that are wrong, with their places', async () => {
    const policies = write(
      'p.yaml',
      'kind: Policy\nmetadata: { name: p }\nspec:\n  owner: o\n  policies:\n    one: "permit(principal, action);"\n',
    );
    const wrong = await test(policies, 'config/policies/cases');
    expect([wrong.code, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toContain('Policy/p: spec.policies.one: line 1, column 25: ');
    const cases = write('odd.yaml', 'kind: PolicyCases\ncases:\n  - name: a\n    expect: { outcome: maybe }');
    expect(await test('config/policies', cases)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('odd.yaml:4:'),
    });
    expect((await test('config/policies', join(directory, 'absent'))).code).toBe(2);
  });
});

describe('the policy engine in a process of its own', () => {
  it('the policy engine answers rightly after its instance of Cedar was broken by a text, in a new instance', () => {
    const script = `
      const { PolicyEngine } = await import('./dist/apps/broker/libs/policy/src/cedar/policy-engine.js');
      const { loadCedar } = await import('./dist/apps/broker/libs/policy/src/cedar/cedar-loader.js');
      const loaded = [], reported = [];
      const engine = new PolicyEngine(() => { const cedar = loadCedar(); loaded.push(cedar); return cedar; }, (error) => reported.push(error.name));
      const set = (text) => ({ texts: { one: text }, digest: text });
      const attrs = { name: 'a', runtime: 'r', issuer: 'i', trustTier: 't' };
      const principal = { type: 'Agent', id: 'a' }, resource = { type: 'Template', id: 't' };
      const question = { principal, resource, action: { type: 'Action', id: 'request' },
        context: { phase: 'request', purposeCode: '', dataClass: '', toolRisk: '', connections: [], providers: [],
          environment: { freeze: false, incident: false }, now: new Date(0).toISOString(), approvals: 0, treeDepth: 0 },
        entities: [{ uid: principal, attrs, parents: [], tags: {} },
          { uid: resource, attrs: { name: 't', version: 1, owner: 'o' }, parents: [], tags: {} }] };
      const ask = () => ['permit', 'forbid'].map((effect) => engine.ask(set(effect + '(principal, action, resource);'), question).isAllowed);
      const before = ask();
      let broke;
      try { loaded[0].policyToJson('permit(principal, action, resource) when { ' + '('.repeat(300) + 'true' + ')'.repeat(300) + ' };'); } catch (error) { broke = error.name; }
      let isDead = false;
      try { loaded[0].policyToJson('permit(principal, action, resource);'); } catch { isDead = true; }
      console.log(JSON.stringify({ before, broke, isDead, after: ask(), again: ask(), loads: loaded.length, reported }));`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    expect(JSON.parse(said)).toEqual({
      ...{ before: [true, false], broke: 'RuntimeError', isDead: true },
      ...{ after: [true, false], again: [true, false], loads: 2, reported: ['RuntimeError'] },
    });
  });
});
