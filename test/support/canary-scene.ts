import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Role } from '@mayfly/identity';
import type { TestAnswer, TestCall } from './broker.js';
import { type BrokerProcess, type DatabaseScene, type Exit, openDatabaseScene, unusedPort } from './broker-process.js';
import { Canaries } from './canaries.js';
import { CanaryBackEnds, lettersOf } from './canary-back-ends.js';
import { canaryDocuments } from './canary-documents.js';
import { type CanaryRedis, openCanaryRedis } from './canary-redis.js';
import { everyRow } from './every-row.js';
import { type TaskBody, taskIn } from './tasks.js';
import { until } from './until.js';

/** Places in which no secret may be. */
export type Place = 'rows' | 'queue' | 'output' | 'answers' | 'problems';

/** The purpose of the tasks of the scene, which must be found where tasks are. */
export const MARKER = 'a purpose that must be found';

export function bodyFor(template: string, more: object = {}): object {
  return { template, parameters: {}, purpose: MARKER, ...more };
}

/** The signal at which the service throws. */
const CRASH = 'SIGUSR2';

/** Returns variables with which a process throws at a signal: a secret in the text, and where drivers keep requests. */
function crashingAt(signal: NodeJS.Signals, canaries: Canaries): Readonly<Record<string, string>> {
  const UNCAUGHT = lettersOf('uncaught');
  canaries.plant('secret in an uncaught error', UNCAUGHT);
  const error = 'Object.assign(new Error(`postgresql://crm:${UNCAUGHT}@crm`), { request: { headers: [UNCAUGHT] } })';
  const script = `const { UNCAUGHT } = process.env; process.once('${signal}', () => { throw ${error}; })`;
  return { UNCAUGHT, NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(script)}` };
}

/** The tries of a grant, a second apart, at a connection that is paused. */
const PATIENT_TRIES = 60;
const isPaused = ({ status, body }: TestAnswer): boolean =>
  status === 503 && (body.reason === 'revocation-failing' || body.reason === 'paused');

interface CanaryParts {
  readonly canaries: Canaries;
  readonly backEnds: CanaryBackEnds;
  readonly scene: DatabaseScene;
  readonly redis: CanaryRedis | undefined;
  readonly secretsDir: string;
  readonly settings: Readonly<Record<string, string>>;
}

async function closeAll({ scene, backEnds, redis, secretsDir }: CanaryParts): Promise<void> {
  await scene.close();
  await backEnds.close();
  await redis?.close();
  rmSync(secretsDir, { recursive: true, force: true });
}

/**
 * A service at its most verbose, with back ends that plant every secret, on a PostgreSQL and, if there is one, a Redis.
 * It keeps every text that the service writes or answers, by place.
 */
export class CanaryScene {
  readonly canaries: Canaries;
  readonly backEnds: CanaryBackEnds;
  private readonly texts = new Map<Place, string[]>();

  private constructor(
    private readonly parts: CanaryParts,
    readonly broker: BrokerProcess,
  ) {
    this.canaries = parts.canaries;
    this.backEnds = parts.backEnds;
  }

  static async open(): Promise<CanaryScene> {
    const canaries = new Canaries();
    const port = String(await unusedPort());
    const publicUrl = `http://127.0.0.1:${port}`;
    const backEnds = await CanaryBackEnds.open(canaries);
    const { documents, environment, secretsDir } = await canaryDocuments(backEnds, canaries, publicUrl);
    const [scene, redis] = [await openDatabaseScene(documents), await openCanaryRedis(canaries)];
    const sealingKey = randomBytes(32).toString('hex');
    canaries.plant('sealing key', sealingKey);
    canaries.plant('password of the database', new URL(scene.database.url).password);
    const settings = {
      ...{ PORT: port, MAYFLY_PUBLIC_URL: publicUrl, MAYFLY_LOG_LEVEL: 'trace', MAYFLY_SEALING_KEY: sealingKey },
      ...{ ...environment, ...(redis === undefined ? {} : { REDIS_URL: redis.url }) },
    };
    const parts = { canaries, backEnds, scene, redis, secretsDir, settings };
    try {
      const opened = new CanaryScene(parts, await scene.start({ ...settings, ...crashingAt(CRASH, canaries) }));
      await opened.trustMayfly(publicUrl);
      return opened;
    } catch (error) {
      await closeAll(parts);
      throw error;
    }
  }

  get database(): DatabaseScene['database'] {
    return this.parts.scene.database;
  }

  /** Starts another process of the service, whose output is kept with `keepOutput`. */
  async startAnother(more: Readonly<Record<string, string>>): Promise<BrokerProcess> {
    return this.parts.scene.start({ ...this.parts.settings, PORT: String(await unusedPort()), ...more });
  }

  keep(place: Place, ...texts: readonly string[]): void {
    const kept = this.texts.get(place) ?? [];
    for (const text of texts) kept.push(text);
    this.texts.set(place, kept);
  }

  keepOutput(process: BrokerProcess): void {
    this.keep('output', ...process.output().split('\n'));
  }

  /** Keeps the rows of the database, and the keys and commands of Redis, as they are now. */
  async keepStores(): Promise<void> {
    const rows = await everyRow(this.database.adminUrl);
    this.keep('rows', ...rows);
    this.keep('queue', ...rows.filter((row) => row.startsWith('bullmq.')));
    this.keep('queue', ...((await this.parts.redis?.read()) ?? []));
  }

  textsIn(place: Place): readonly string[] {
    return this.texts.get(place) ?? [];
  }

  async agent(name = 'support-agent'): Promise<string> {
    return this.planted(await this.parts.scene.agentToken(name));
  }

  async person(role: Role): Promise<string> {
    return this.planted(await this.parts.scene.personToken(role));
  }

  /** Sends a request and keeps the answer without the member that delivers secrets. */
  async ask(route: string, token: string, call: TestCall = {}): Promise<TestAnswer> {
    const answer = await this.broker.send(route, { token, ...call });
    const { taskToken } = answer.body as { taskToken?: { value: string } };
    if (taskToken !== undefined) this.parts.canaries.plantSeen('task token', taskToken.value.slice(-43));
    const withoutSecret = (name: string, value: unknown): unknown =>
      name === 'secret' || name === 'taskToken' ? undefined : value;
    const text = JSON.stringify([route, answer.status, [...answer.headers], answer.body], withoutSecret);
    this.keep(answer.status < 400 ? 'answers' : 'problems', text);
    return answer;
  }

  /**
   * Requests a task of the agent. Waits for a connection whose leases could not be revoked while its answers broke.
   * Throws unless the task is granted with a secret that the back ends planted.
   */
  async grant(template: string, more: object = {}, call: TestCall = {}): Promise<TaskBody> {
    const body = bodyFor(template, more);
    let answer = await this.ask('POST /tasks', await this.agent(), { body, ...call });
    for (let tries = 1; isPaused(answer) && tries < PATIENT_TRIES; tries += 1) {
      await pause(1_000);
      answer = await this.ask('POST /tasks', await this.agent(), { body, ...call });
    }
    const task = taskIn(answer);
    if (answer.status !== 201) throw new Error(`${template}: ${JSON.stringify(task)}`);
    if (this.canaries.findIn(JSON.stringify(task)).length === 0) throw new Error(`${template}: nothing was planted`);
    return task;
  }

  /** Ends the service by an error that nobody catches and that holds a secret. Keeps its output. */
  async crash(): Promise<Exit> {
    this.broker.signal(CRASH);
    const exit = await this.broker.exited;
    this.keepOutput(this.broker);
    return exit;
  }

  async close(): Promise<void> {
    await closeAll(this.parts);
  }

  private planted(token: string): string {
    this.canaries.plantSeen('identity of a caller', token.slice(token.lastIndexOf('.') + 1));
    return token;
  }

  /** Makes Vault trust the identity tokens of this service, after it has published its keys. */
  private async trustMayfly(publicUrl: string): Promise<void> {
    const keys = `${publicUrl}/federation/jwks.json`;
    await until('the federation keys are there', 10, async () => (await fetch(keys)).ok);
    const trusted = { jwks_url: keys, bound_issuer: `${publicUrl}/federation` };
    await this.backEnds.vault.root('POST', 'auth/jwt/config', trusted);
  }
}
