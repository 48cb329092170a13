import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { isOwnVariable, readConfig } from './config.js';

const DATABASE = 'postgresql://mayfly:secret@db.example/mayfly';

describe('the environment', () => {
  it.each([
    ['https://broker.example/', 'https://broker.example'],
    ['https://broker.example/mayfly//', 'https://broker.example/mayfly'],
    ['https://broker.example', 'https://broker.example'],
  ])('the environment gives the public URL %s as %s, so that paths can follow', (given, publicUrl) => {
    expect(readConfig({ MAYFLY_PUBLIC_URL: given }).publicUrl).toBe(publicUrl);
  });

  it.each([
    ['https://broker.example/?tenant=one', 'leave out the query'],
    ['https://broker.example?', 'leave out the query'],
    ['https://broker.example/#top', 'leave out the query'],
    ['https://mayfly:canary@broker.example', 'leave out the user and the password'],
  ])(
    'the environment refuses the public URL %s, since an issuer has none of that (RFC 8414 §2)',
    (MAYFLY_PUBLIC_URL, change) => {
      const act = () => readConfig({ MAYFLY_PUBLIC_URL });
      expect(act).toThrow(`MAYFLY_PUBLIC_URL (${change}`);
      expect(act).not.toThrow(/canary/);
    },
  );

  it.each(['DATABASE_URL', 'MAYFLY_MIGRATION_URL'])(
    'the error for an unknown sslmode names %s and not the value',
    (name) => {
      const given = { DATABASE_URL: DATABASE, MAYFLY_PUBLIC_URL: 'https://broker.example' };
      const act = (sslmode: string) => () => readConfig({ ...given, [name]: `${DATABASE}?x=y&sslmode=${sslmode}` });
      expect(act('canary')).toThrow(`${name} (use one of disable, allow, prefer, require, verify-ca, verify-full, `);
      expect(act('canary')).not.toThrow(/canary/);
      expect(act('no-verify')).not.toThrow();
    },
  );

  it('the environment gives the previous sealing keys of a list with commas', () => {
    const [one, two] = ['0a'.repeat(32), '0b'.repeat(32)];
    const read = (list: string) => readConfig({ MAYFLY_SEALING_KEY_PREVIOUS: list }).previousSealingKeys;
    expect(read(`${one}, ${two},`)).toEqual([one, two]);
    expect(read('')).toEqual([]);
    expect(readConfig({}).previousSealingKeys).toEqual([]);
    const act = () => read(`${one},canary`);
    expect(act).toThrow(/MAYFLY_SEALING_KEY_PREVIOUS \(use 64 hexadecimal digits/);
    expect(act).not.toThrow(/canary|0a0a/);
  });

  it('the environment gives whole paths', () => {
    const config = readConfig({ MAYFLY_SECRETS_DIR: 'secrets', MAYFLY_BOOTSTRAP_ISSUER: 'people.yaml' });
    expect(config).toMatchObject({ secretsDir: resolve('secrets'), bootstrapIssuer: resolve('people.yaml') });
    expect(readConfig({})).toMatchObject({ secretsDir: undefined, bootstrapIssuer: undefined });
  });

  it('the environment makes one process serve requests and work in the background, or either of the two', () => {
    expect(readConfig({})).toMatchObject({ api: true, worker: true });
    expect(readConfig({ MAYFLY_API: 'off' })).toMatchObject({ api: false, worker: true });
    expect(readConfig({ MAYFLY_WORKER: 'off' })).toMatchObject({ api: true, worker: false });
  });

  it('the environment is refused when both API and worker are off', () => {
    expect(() => readConfig({ MAYFLY_API: 'off', MAYFLY_WORKER: 'off' })).toThrow(/MAYFLY_API and MAYFLY_WORKER/);
  });

  it('the environment allows keys from this machine outside production only, and from the entries of MAYFLY_EGRESS_ALLOW', () => {
    const { egressAllow } = readConfig({ MAYFLY_EGRESS_ALLOW: 'keycloak.internal:8443, 10.0.0.0/8' });
    expect(egressAllow.allowsHost('keycloak.internal', 8443)).toBe(true);
    expect(egressAllow.allowsAddress('10.1.2.3', 443)).toBe(true);
    expect(egressAllow.allowsPlainHttp('localhost', 8080)).toBe(true);
    const production = readConfig({
      ...{ NODE_ENV: 'production', DATABASE_URL: 'postgresql://db/mayfly', MAYFLY_SEALING_KEY: '0'.repeat(64) },
      ...{ MAYFLY_PUBLIC_URL: 'https://broker.example', MAYFLY_SECRETS_DIR: '/run/secrets' },
    });
    expect(production.egressAllow.allowsHost('localhost', 8080)).toBe(false);
  });

  it('the environment names MAYFLY_EGRESS_ALLOW and the entry that is wrong, never its text', () => {
    const act = () => readConfig({ MAYFLY_EGRESS_ALLOW: 'keycloak.internal, 169.254.169.254' });
    expect(act).toThrow(/MAYFLY_EGRESS_ALLOW \(entry 2: .*are always refused/);
    expect(act).not.toThrow(/169/);
  });

  it.each([{ DATABASE_URL: DATABASE }, { DATABASE_URL: DATABASE, MAYFLY_WORKER: 'off' }])(
    'the environment is refused when replicas would have different issuers: %j',
    (variables) => {
      expect(() => readConfig(variables)).toThrow(/MAYFLY_PUBLIC_URL is not set: .*; set it/);
      const publicUrl = 'https://broker.example';
      expect(readConfig({ ...variables, MAYFLY_PUBLIC_URL: publicUrl })).toMatchObject({ publicUrl });
    },
  );

  it('the environment needs no public URL where nothing is served, or where the database is the own one', () => {
    expect(readConfig({ DATABASE_URL: DATABASE, MAYFLY_API: 'off' })).toMatchObject({ publicUrl: undefined });
    expect(readConfig({})).toMatchObject({ publicUrl: undefined });
  });

  it('the environment is refused in production without a public URL, whatever the process does', () => {
    const production = { NODE_ENV: 'production', DATABASE_URL: DATABASE, MAYFLY_API: 'off' };
    expect(() => readConfig(production)).toThrow(/production needs .*MAYFLY_PUBLIC_URL/);
  });

  it.each([
    [{ MAYFLY_CONFIG_DIR: 'config' }, 'production refuses MAYFLY_CONFIG_DIR: leave it out and declare over the API'],
    [{ MAYFLY_FAILPOINT: 'mint' }, 'production refuses MAYFLY_FAILPOINT: leave it out'],
  ])('the environment is refused in production with %j', (variables, detail) => {
    const production = {
      ...{ NODE_ENV: 'production', DATABASE_URL: DATABASE, MAYFLY_SEALING_KEY: '0'.repeat(64) },
      ...{ MAYFLY_PUBLIC_URL: 'https://broker.example', MAYFLY_SECRETS_DIR: '/run/secrets' },
    };
    expect(readConfig(production)).toMatchObject({ production: true, configDir: undefined });
    expect(() => readConfig({ ...production, ...variables })).toThrow(detail);
  });

  it('the environment takes a failpoint with the number of arrivals that kills, and refuses an unknown one', () => {
    expect(readConfig({ MAYFLY_FAILPOINT: 'open' }).failpoint).toEqual({ step: 'open', count: 1 });
    expect(readConfig({ MAYFLY_FAILPOINT: 'close:8' }).failpoint).toEqual({ step: 'close', count: 8 });
    expect(readConfig({}).failpoint).toBeUndefined();
    for (const wrong of ['opened', 'open:0', 'open:', 'open:x'])
      expect(() => readConfig({ MAYFLY_FAILPOINT: wrong })).toThrow(/MAYFLY_FAILPOINT \(use a failpoint/);
  });

  it('the error about a wrong environment names the variables, never their values', () => {
    const act = () => readConfig({ MAYFLY_SEALING_KEY: 'canary', PORT: '99999999' });
    expect(act).toThrow(/MAYFLY_SEALING_KEY.*/);
    expect(act).toThrow(/PORT/);
    expect(act).not.toThrow(/canary|99999999/);
  });
});

describe('a name that is nearly a setting', () => {
  it.each([
    ['MAYFLY_SEALINGKEY', 'MAYFLY_SEALING_KEY'],
    ['MAYFLY_WROKER', 'MAYFLY_WORKER'],
    ['MAYFLY_SECRET_DIR', 'MAYFLY_SECRETS_DIR'],
    ['MAYFLY_DATABASE_URL', 'DATABASE_URL'],
    ['MAYFLY_PORT', 'PORT'],
  ])('a name that is nearly a setting %s stops the start, which says %s and no value', (name, meant) => {
    const act = () => readConfig({ [name]: 'canary' });
    expect(act).toThrow(`${name} (no such setting, use ${meant})`);
    expect(act).not.toThrow(/canary/);
  });

  it.each([
    ['MAYFLY_URL', 'http://127.0.0.1:8420'],
    ['MAYFLY_TOKEN', 'of the command line'],
    ['MAYFLY_PORT', 'tcp://10.0.0.1:8420'],
    ['MAYFLY_SERVICE_HOST', '10.0.0.1'],
    ['MAYFLY_SERVICE_PORT', '8420'],
    ['MAYFLY_SERVICE_PORT_HTTP', '8420'],
    ['MAYFLY_PORT_8420_TCP_ADDR', '10.0.0.1'],
    ['MAYFLY_WORKER_SERVICE_HOST', '10.0.0.1'],
    ['CRM_DATABASE_URL', 'of a connection'],
  ])('the environment ignores the foreign variable %s=%s', (name, value) => {
    expect(() => readConfig({ [name]: value })).not.toThrow();
  });
});

describe('a mode', () => {
  it.each(['prod', 'Production', 'staging', 'dev'])(
    'the unknown mode %s stops the start, and the error lists the modes',
    (mode) => {
      const act = () => readConfig({ NODE_ENV: mode });
      expect(act).toThrow(/NODE_ENV.*"development"\|"production"\|"test"/);
    },
  );

  it.each(['development', 'test', ''])('the mode `%s` is not production', (mode) => {
    expect(readConfig({ NODE_ENV: mode }).production).toBe(false);
  });
});

it.each([
  ['DATABASE_URL', true],
  ['database_url', true],
  ['NODE_ENV', true],
  ['MAYFLY_ANYTHING', true],
  ['CRM_DATABASE_URL', false],
  ['MAYFLYCRM', false],
])('the variable %s is a setting of the service: %s', (name, own) => {
  expect(isOwnVariable(name)).toBe(own);
});
