import { describe, expect, it } from '@jest/globals';
import { deploymentFaults, readDeployment } from '../support/deployment.js';

const sound = readDeployment();

/** The files with one text in one of them replaced by another. */
function changed(file: 'compose' | 'dockerfile' | 'dockerignore', from: string | RegExp, to: string): string[] {
  const text = sound[file].replace(from, to);
  if (text === sound[file]) throw new Error(`there is no ${String(from)} in ${file}`);
  return deploymentFaults({ ...sound, [file]: text });
}

describe('the files of the deployment', () => {
  it('the files of the deployment are in order', () => {
    expect(deploymentFaults()).toEqual([]);
  });

  it.each([
    [
      'a setting that is misspelt',
      /MAYFLY_BOOTSTRAP_ISSUER: /,
      'MAYFLY_BOOTSTRAP_ISSUERS: ',
      /MAYFLY_BOOTSTRAP_ISSUERS \(no such setting, use MAYFLY_BOOTSTRAP_ISSUER\)/,
    ],
    ['a setting with a wrong value', "MAYFLY_API: 'off'", "MAYFLY_API: 'no'", /worker would not start.*MAYFLY_API/],
    ['a setting that production refuses', /^ {2}HOST: /m, '  MAYFLY_FAILPOINT: mint\n  HOST: ', /MAYFLY_FAILPOINT/],
    ['a setting that production needs', /MAYFLY_SEALING_KEY: .*/, '', /production needs MAYFLY_SEALING_KEY/],
    ['two processes of one role', "MAYFLY_WORKER: 'on'", "MAYFLY_WORKER: 'off'", /worker would not start/],
    ['a broker that works besides', "MAYFLY_WORKER: 'off'", "MAYFLY_WORKER: 'on'", /not processes of their own/],
    [
      'a secret of a connection that is not given',
      /^ {2}OBJECT_STORE_SECRET_ACCESS_KEY: .*/m,
      '',
      /lacks OBJECT_STORE_SECRET/,
    ],
    [
      'a file out of bounds',
      'MAYFLY_SECRETS_DIR: /etc/mayfly/trust',
      'MAYFLY_SECRETS_DIR: /etc',
      /may not read|mounts nothing/,
    ],
    [
      'a secret with a default',
      /\$\{REDIS_PASSWORD:\?[^}]*\}/,
      '${REDIS_PASSWORD:-redis}',
      /REDIS_PASSWORD is a secret/,
    ],
    [
      'a variable without a word',
      /\$\{POSTGRES_PASSWORD:\?[^}]*\}/,
      '${POSTGRES_PASSWORD}',
      /POSTGRES_PASSWORD may be/,
    ],
    [
      'a variable that is not documented',
      '${OPENBAO_SEAL_KEY:',
      '${OPENBAO_UNSEAL_KEY:',
      /OPENBAO_UNSEAL_KEY is not doc/,
    ],
    ['an image without a version', 'postgres:18.4-bookworm', 'postgres:18', /postgres has an image/],
    ['the latest image', 'redis:7.2.11-bookworm', 'redis:latest', /redis has an image/],
    ['root', 'user: postgres', 'user: root', /postgres may run as root/],
    ['a writable root', 'read_only: true', 'read_only: false', /broker can write/],
    ['capabilities', 'cap_drop: [ALL]', 'cap_drop: [NET_RAW]', /broker keeps capabilities/],
    ['privileges', "security_opt: ['no-new-privileges:true']", 'security_opt: []', /broker may gain/],
    ['a port for everybody', "'127.0.0.1:8420:8420'", "'8420:8420'", /broker listens/],
    [
      'an order of start that names nobody',
      'redis: { condition:',
      'rediss: { condition:',
      /rediss, which is no service/,
    ],
    [
      'a health that nobody checks',
      /certificates: \{ condition: service_completed_successfully/,
      'certificates: { condition: service_healthy',
      /which has no check/,
    ],
    ['a script that is not there', 'openbao/set-up.sh:/', 'openbao/setup.sh:/', /which does not exist/],
    ['a volume that is not there', '- openbao:/openbao/file', '- bao:/openbao/file', /bao, which is no volume/],
    ['a network that is not there', 'networks: [targets]', 'networks: [target]', /no network: target/],
  ])('the files of the deployment are not, with %s', (_what, from, to, fault) => {
    expect(changed('compose', from, to).join('\n')).toMatch(fault);
  });

  it.each([
    ['root', 'USER 1000:1000', 'USER root', /runs as root/],
    ['another Node', 'FROM node:24.21.0-bookworm-slim\n', 'FROM node:24\n', /another Node/],
    ['one stage', /FROM .* AS build/, '# one', /two stages/],
    ['the development mode', 'NODE_ENV=production ', '', /production/],
    ['no health check', /HEALTHCHECK [^]*?\n(?=CMD)/, '', /health check/],
    ['another program', '"dist/broker/start.mjs"', '"dist/broker/warm.mjs"', /warm\.mjs/],
    ['no bound of the heap', /^ENV NODE_OPTIONS=.*/m, '', /other bounds/],
    ['no command line', /RUN ln -s .*/, '', /command line/],
    ['packages of development', '--omit=dev ', '', /development/],
    ['a file that is not there', 'COPY package.json', 'COPY packages.json', /packages\.json, which does not exist/],
  ])('the files of the deployment are not, when the image has %s', (_what, from, to, fault) => {
    expect(changed('dockerfile', from, to).join('\n')).toMatch(fault);
  });

  it.each([
    ['everything', '\n*\n', '\n', /whatever lies around/],
    ['less than is copied', '!.npmrc\n', '', /keeps \.npmrc out/],
    ['what is not there', '!apps', '!app', /app through/],
  ])('the files of the deployment are not, when the context of the build holds %s', (_what, from, to, fault) => {
    expect(changed('dockerignore', from, to).join('\n')).toMatch(fault);
  });
});
