import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../contract/target-server.js';

const CONFIGURATIONS = join(import.meta.dirname, '../../deploy/gateways');
const NGINX = '/usr/sbin/nginx';
const ENVOY = process.env.MAYFLY_TEST_ENVOY ?? spawnSync('which', ['envoy']).stdout.toString().trim();

/** Undefined when the gateway can start, otherwise the reason, which the line about the skipped suite prints. */
export const GATEWAY_ABSENCE: Readonly<Record<GatewayKind, string | undefined>> = {
  nginx: existsSync(NGINX) ? undefined : `${NGINX} is not installed`,
  envoy: existsSync(ENVOY) ? undefined : 'envoy is not installed, and MAYFLY_TEST_ENVOY names none',
};

export type GatewayKind = 'nginx' | 'envoy';

export interface Gateway {
  readonly url: string;
  /** Replaces the gateway's own identity, as its documentation says. */
  setToken(token: string): Promise<void>;
  stop(): Promise<void>;
}

/** A request as the upstream received it. */
export interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** An HTTP server that answers `200 served` and keeps what it received. */
export interface Upstream {
  readonly port: number;
  readonly received: Received[];
  stop(): void;
}

export async function startUpstream(): Promise<Upstream> {
  const received: Received[] = [];
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      received.push({ method, url, headers, body: Buffer.concat(parts).toString() });
      response.end('served');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    received,
    stop: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** Starts a gateway with the configuration that the project documents; only its addresses and paths are replaced. */
export async function startGateway(
  kind: GatewayKind,
  ports: { readonly mayfly: number; readonly upstream: number },
  token: string,
): Promise<Gateway> {
  const home = mkdtempSync(join(tmpdir(), `mayfly-${kind}-`));
  const port = await freePort();
  const adapt = (text: string): string =>
    text
      .replaceAll('127.0.0.1:3000', `127.0.0.1:${String(ports.mayfly)}`)
      .replaceAll('127.0.0.1:9000', `127.0.0.1:${String(ports.upstream)}`)
      .replaceAll('127.0.0.1:8080', `127.0.0.1:${String(port)}`)
      .replaceAll('port_value: 3000', `port_value: ${String(ports.mayfly)}`)
      .replaceAll('port_value: 9000', `port_value: ${String(ports.upstream)}`)
      .replaceAll('port_value: 8080', `port_value: ${String(port)}`)
      .replaceAll('/etc/envoy/', `${home}/`);
  const [main, identity, empty] =
    kind === 'nginx'
      ? ['nginx.conf', 'mayfly-gateway.conf', '""']
      : ['envoy.yaml', 'mayfly-gateway.yaml', `inline_string: ''`];
  const read = (name: string): string => readFileSync(join(CONFIGURATIONS, name), 'utf8');
  const writeToken = (value: string): void => {
    const filled = empty.replace(kind === 'nginx' ? '""' : `''`, JSON.stringify(value));
    writeFileSync(join(home, 'next'), read(identity).replace(empty, filled));
    renameSync(join(home, 'next'), join(home, identity));
  };
  writeFileSync(join(home, main), adapt(read(main)));
  writeToken(token);
  const child =
    kind === 'nginx'
      ? spawn(NGINX, ['-p', home, '-c', join(home, main), '-g', 'daemon off;'], { stdio: 'ignore' })
      : spawn(ENVOY, ['-c', join(home, main), '--concurrency', '1', '--disable-hot-restart', '--log-level', 'off'], {
          stdio: 'ignore',
        });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const url = `http://127.0.0.1:${String(port)}`;
  while (!(await answers(url))) {
    if (child.exitCode !== null) throw new Error(`${kind} ended before it listened`);
    await pause(30);
  }
  return {
    url,
    setToken: async (value) => {
      writeToken(value);
      if (kind === 'nginx') child.kill('SIGHUP');
      await pause(300);
    },
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
      rmSync(home, { recursive: true, force: true });
    },
  };
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    async (answer) => {
      await answer.text();
      return true;
    },
    () => false,
  );
}
