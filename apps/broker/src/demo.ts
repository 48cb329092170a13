import { generateKeyPairSync } from 'node:crypto';
import { developmentIssuer } from '@mayfly/embedded';
import { SignJWT } from 'jose';
import { type BrokerConfig, readConfig } from './config.js';
import { BrokerClient, type GrantedTask } from './demo/broker.client.js';
import { Claims, milliseconds } from './demo/claims.js';
import { DatabaseSession, isLoginRefused } from './demo/database-session.js';

const TWO_HOURS_MS = 7_200_000;

/** Issues the tokens of the demo from the development issuer of the data directory. */
async function cast(config: BrokerConfig) {
  const { dataDir, production } = config;
  const issuer = await developmentIssuer(dataDir, { production });
  const earlier = await developmentIssuer(dataDir, {
    production,
    clock: { now: () => new Date(Date.now() - TWO_HOURS_MS) },
  });
  const agent = await issuer.issueToken({ agent: 'support-agent' });
  return {
    agent,
    altered: `${agent.slice(0, -2)}${agent.endsWith('AA') ? 'BB' : 'AA'}`,
    expired: await earlier.issueToken({ agent: 'support-agent' }),
    foreign: await foreignToken(),
    resourceServer: await issuer.issueToken({ resourceServer: 'cases' }),
    auditor: await issuer.issueToken({ role: 'auditor' }),
  };
}

/** Signs a token whose only fault is an unknown key. */
function foreignToken(): Promise<string> {
  return new SignJWT({})
    .setProtectedHeader({ alg: 'EdDSA', kid: 'foreign' })
    .setIssuer('urn:mayfly:development')
    .setAudience('mayfly')
    .setSubject('support-agent')
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(generateKeyPairSync('ed25519').privateKey);
}

function secretOf(task: GrantedTask, name: string, member: string): string {
  const value = task.credentials.find((credential) => credential.name === name)?.secret?.[member];
  if (value === undefined) throw new Error(`the task has no \`${member}\` of credential \`${name}\``);
  return value;
}

type Cast = Awaited<ReturnType<typeof cast>>;

/** Requests a task and proves what its credential can reach and what it cannot. */
async function grant(broker: BrokerClient, who: Cast, claims: Claims) {
  claims.section('An agent names its task and gets what it needs, and nothing else');
  const asked = performance.now();
  const { status, task } = await broker.requestTask(who.agent, 'answer ticket 4711');
  claims.prove(`granted ${task.id} in ${milliseconds(asked)}: a database role and a signed token`, status === 201);
  const url = secretOf(task, 'db', 'url');
  const session = await DatabaseSession.open(url);
  for (const table of ['emea.customers', 'emea.cases', 'emea.case_notes']) {
    const rows = await session.count(table);
    claims.prove(`${table} answers (${String(rows)} rows)`, rows > 0);
  }
  claims.prove('hr.salaries is refused by the database', await session.isRefused('hr.salaries'));
  claims.prove('the other region is refused by the database', await session.isRefused('apac.customers'));
  claims.prove('the token is active', await broker.isActive(who.resourceServer, secretOf(task, 'api', 'token')));
  return { task, url, session };
}

type Granted = Awaited<ReturnType<typeof grant>>;

/** Completes the task while a session has an open transaction, and proves that the target ends both. */
async function takeBack(
  broker: BrokerClient,
  who: Cast,
  { task, url, session }: Granted,
  claims: Claims,
): Promise<void> {
  claims.section('The task completes while a database session is open');
  await session.stayInTransaction();
  const completing = performance.now();
  const dead = session.untilDead().then(() => milliseconds(completing));
  const completed = await broker.complete(who.agent, task.id);
  claims.prove(
    `completed in ${milliseconds(completing)}, every lease closed`,
    completed.credentials.every(({ state }) => state === 'revoked'),
  );
  claims.prove(`the open session was dead after ${await dead}`, true);
  claims.prove('a new login with the same password is refused', await isLoginRefused(url));
  claims.prove('the token is inactive', !(await broker.isActive(who.resourceServer, secretOf(task, 'api', 'token'))));
  const { task: second } = await broker.requestTask(who.agent, 'look for remains of the first task');
  const witness = await DatabaseSession.open(secretOf(second, 'db', 'url'));
  claims.prove('the target keeps nothing of the task', !(await witness.roleExists(secretOf(task, 'db', 'username'))));
  await witness.close();
  await broker.complete(who.agent, second.id);
}

async function refuseOthers(broker: BrokerClient, who: Cast, claims: Claims): Promise<void> {
  claims.section('Every other identity token is refused');
  for (const name of ['altered', 'expired', 'foreign'] as const) {
    const { status } = await broker.requestTask(who[name], 'pretend');
    claims.prove(`an identity token that is ${name} is refused (${String(status)})`, status === 401);
  }
}

async function tellTheStory(broker: BrokerClient, who: Cast, taskId: string, claims: Claims): Promise<void> {
  claims.section(`The auditor reads the audit entries of ${taskId}`);
  const entries = await broker.timeline(who.auditor, taskId);
  entries.forEach(({ at, type, leaseId }) => {
    claims.note([at, type.padEnd(14), leaseId ?? ''].join('  ').trimEnd());
  });
  const types = entries.map(({ type }) => type);
  const told = ['task.granted', 'lease.issued', 'task.ending', 'lease.revoked', 'task.ended'].every((type) =>
    types.includes(type),
  );
  claims.prove('the entries have every transition from the grant to the end', told);
}

async function main(): Promise<void> {
  const config = readConfig();
  const broker = new BrokerClient(config.publicUrl ?? `http://${config.host}:${String(config.port)}`);
  const claims = new Claims();
  const who = await cast(config);
  const granted = await grant(broker, who, claims);
  await takeBack(broker, who, granted, claims);
  await refuseOthers(broker, who, claims);
  await tellTheStory(broker, who, granted.task.id, claims);
  process.stdout.write(claims.allHold ? '\nEvery check passed.\n' : '\nA check failed.\n');
  process.exit(claims.allHold ? 0 : 1);
}

main().catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`demo: ${reason}; is the service running (npm start)?\n`);
  process.exit(1);
});
