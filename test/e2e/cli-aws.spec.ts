import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { Credential, Task } from '@mayfly/client';
import { runCli } from '../support/cli.js';

/** The lifetime of each session of the broker below. */
const LIFE_MS = 3_000;

/**
 * Stands for the broker where only the form of what the command line hands on is looked at: AWS itself is asked in
 * test/e2e/stock-clients.spec.ts.
 */
let server: Server;
let environment: Record<string, string>;
let asked: string[];
let issued: number;

function activeTask(): Task {
  issued += 1;
  const at = (milliseconds: number): string => new Date(Date.now() + milliseconds).toISOString();
  const session = {
    ...{ accessKeyId: `ASIA${String(issued)}`, secretAccessKey: 'secret', sessionToken: 'session' },
    ...{ expiration: at(LIFE_MS), region: 'eu-central-1' },
  };
  const lease: Credential = {
    ...({ leaseId: 'lse_1', name: 's3', provider: 'aws-sts', state: 'active', revocation: 'propagating' } as const),
    ...{ expiresAt: at(LIFE_MS), secret: session },
  };
  return {
    ...({ id: 'tsk_1', state: 'active', runtime: 'r', parameters: {}, purpose: 'p' } as const),
    ...{ template: { name: 'export', version: 1 }, agent: { id: 'agt_1', name: 'a' } },
    ...{ createdAt: at(0), expiresAt: at(LIFE_MS), maxExpiresAt: at(60_000), credentials: [lease] },
  };
}

beforeAll(async () => {
  server = createServer((request, response) => {
    asked.push(`${request.method ?? ''} ${request.url ?? ''}`);
    response.setHeader('content-type', 'application/json');
    if (request.headers.authorization !== 'Bearer a.b.c') {
      response.writeHead(401).end('{"type":"urn:mayfly:problem:unauthenticated","detail":"send a fresh token"}');
    } else response.writeHead(request.url === '/tasks' ? 201 : 200).end(JSON.stringify(activeTask()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  environment = { MAYFLY_URL: url, MAYFLY_TOKEN: 'a.b.c' };
});
beforeEach(() => {
  [asked, issued] = [[], 0];
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe('mayfly aws-credentials', () => {
  it('mayfly aws-credentials prints what AWS SDKs read, and nothing else', async () => {
    const ran = await runCli(environment, 'aws-credentials', '--template', 'export');
    expect(ran).toMatchObject({ code: 0, stderr: '' });
    const printed = JSON.parse(ran.stdout) as Record<string, unknown>;
    expect(Object.keys(printed)).toEqual(['Version', 'AccessKeyId', 'SecretAccessKey', 'SessionToken', 'Expiration']);
    expect(printed).toMatchObject({
      Version: 1,
      AccessKeyId: 'ASIA1',
      SecretAccessKey: 'secret',
      SessionToken: 'session',
    });
    expect(ran.stdout.trim().split('\n')).toHaveLength(1);
  });

  it('mayfly aws-credentials prints nothing when it is refused, and leaves with another status than 0', async () => {
    const ran = await runCli({ ...environment, MAYFLY_TOKEN: 'x.y.z' }, 'aws-credentials', '--template', 'export');
    expect(ran).toMatchObject({ code: 3, stdout: '', stderr: 'mayfly: send a fresh token\n' });
  });
});

/** Prints what the endpoint of the environment answers now, and again after `seconds`. */
const ASKING = (seconds: number): string => `
const ask = async () => {
  const { AWS_CONTAINER_CREDENTIALS_FULL_URI: url, AWS_CONTAINER_AUTHORIZATION_TOKEN: authorization } = process.env;
  console.log((await (await fetch(url, { headers: { authorization } })).json()).AccessKeyId);
};
await ask();
await new Promise((resolve) => setTimeout(resolve, ${String(seconds * 1000)}));
await ask();
console.log(process.env.AWS_ACCESS_KEY_ID ?? 'no key in the environment');
`;
const NODE = (script: string): string[] => ['--', process.execPath, '--input-type=module', '-e', script];

describe('mayfly exec, for AWS', () => {
  const exec = ['exec', '--template', 'export', '--ttl', '3'];

  it('mayfly exec for AWS hands the session over in the variables of AWS tools, and withholds those that it inherits', async () => {
    const standing = { AWS_PROFILE: 'standing', AWS_ACCESS_KEY_ID: 'standing', AWS_ROLE_ARN: 'standing' };
    const ran = await runCli({ ...environment, ...standing }, ...exec, '--', 'sh', '-c', 'env | grep ^AWS_ | sort');
    expect(ran).toMatchObject({ code: 0 });
    expect(
      ran.stdout
        .replace(/\d{4}-.*Z/, 'TIME')
        .trim()
        .split('\n'),
    ).toEqual([
      'AWS_ACCESS_KEY_ID=ASIA1',
      'AWS_CREDENTIAL_EXPIRATION=TIME',
      'AWS_DEFAULT_REGION=eu-central-1',
      'AWS_EC2_METADATA_DISABLED=true',
      'AWS_REGION=eu-central-1',
      'AWS_SECRET_ACCESS_KEY=secret',
      'AWS_SESSION_TOKEN=session',
    ]);
    expect(asked).toEqual(['POST /tasks', 'POST /tasks/tsk_1/complete']);
  });

  it('mayfly exec for AWS says that a command outlives its session, when nobody can hand it another', async () => {
    const ran = await runCli(environment, ...exec, '--', 'sleep', '2.5');
    expect(asked).toContain('POST /tasks/tsk_1/renew');
    expect(ran.stderr).toContain(
      'credential `s3` was issued again, but the command has the earlier one, which ends at',
    );
    expect(ran.stderr).toContain('--aws-server');
  });

  it('mayfly exec for AWS serves renewed sessions to the command with --aws-server', async () => {
    const ran = await runCli(environment, ...exec, '--aws-server', ...NODE(ASKING(2.6)));
    expect(ran).toMatchObject({ code: 0 });
    const [first, second, variable] = ran.stdout.trim().split('\n');
    expect([first, variable]).toEqual(['ASIA1', 'no key in the environment']);
    expect(second).toMatch(/^ASIA[2-9]$/);
    expect(ran.stderr).not.toContain('issued again');
  });
});
