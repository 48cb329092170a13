import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { ROOT_TOKEN, VaultFake } from './vault-fake/vault-fake.js';

/** A server with Vault's protocol, in development mode, not set up. */
export interface VaultServer {
  readonly address: string;
  readonly rootToken: string;
  /** set when the server is the enforcing fake */
  readonly fake?: VaultFake;
  stop(): Promise<void>;
}

export type VaultServers = readonly (readonly [name: string, start: () => Promise<VaultServer>])[];

/** Returns the fake and, if one is named or installed, a real server. */
export function vaultServers(): VaultServers {
  const real = realServer();
  if (real === undefined) {
    console.warn('NOT RUN real OpenBao/Vault: neither MAYFLY_TEST_VAULT_ADDR nor `bao` or `vault` on PATH');
  }
  return [['the enforcing fake', startFake], ...(real === undefined ? [] : [real])];
}

export async function startFake(): Promise<VaultServer & { readonly fake: VaultFake }> {
  const fake = new VaultFake();
  return { address: await fake.start(), rootToken: ROOT_TOKEN, fake, stop: () => fake.stop() };
}

function realServer(): VaultServers[number] | undefined {
  const { MAYFLY_TEST_VAULT_ADDR: address, MAYFLY_TEST_VAULT_TOKEN: rootToken } = process.env;
  if (address !== undefined && rootToken !== undefined) {
    return [`the server at MAYFLY_TEST_VAULT_ADDR`, async () => ({ address, rootToken, stop: async () => undefined })];
  }
  for (const program of ['bao', 'vault']) {
    const version = spawnSync(program, ['version'], { encoding: 'utf8' });
    if (version.status === 0) return [version.stdout.trim().split('\n')[0]!, () => startReal(program)];
  }
  return undefined;
}

async function startReal(program: string): Promise<VaultServer> {
  const rootToken = randomUUID();
  const listen = `127.0.0.1:${String(await freePort())}`;
  const options = [`-dev-root-token-id=${rootToken}`, `-dev-listen-address=${listen}`, '-dev-no-store-token'];
  const child = spawn(program, ['server', '-dev', ...options], {
    stdio: 'ignore',
    env: { PATH: process.env.PATH, HOME: tmpdir() },
  });
  const address = `http://${listen}`;
  await untilItAnswers(address, child);
  return {
    address,
    rootToken,
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function untilItAnswers(address: string, child: ChildProcess): Promise<void> {
  for (;;) {
    const status = await fetch(`${address}/v1/sys/health`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
    if (child.exitCode !== null) throw new Error('the server ended before it answered');
    await pause(50);
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
