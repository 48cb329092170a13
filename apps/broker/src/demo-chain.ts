import { developmentIssuer } from '@mayfly/embedded';
import type { JsonObject } from '@mayfly/kernel';
import { readConfig } from './config.js';
import { CHAIN, CHAIN_DOCUMENTS } from './demo/chain.documents.js';
import { Claims, milliseconds } from './demo/claims.js';

const PURPOSE = 'write a report on one paper';

interface Answer {
  readonly status: number;
  readonly body: JsonObject;
}

/** Calls the API with the token of one caller. */
type Call = (route: string, body?: JsonObject) => Promise<Answer>;

function callerAt(url: string, token: string): Call {
  return async (route, body) => {
    const [method = '', path = ''] = route.split(' ');
    const json = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(url + path, {
      ...{ method, headers: { authorization: `Bearer ${token}`, 'if-match': '*', ...json } },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as JsonObject };
  };
}

async function cast(url: string, config: Pick<ReturnType<typeof readConfig>, 'dataDir' | 'production'>) {
  const issuer = await developmentIssuer(config.dataDir, { production: config.production });
  const agents = await Promise.all(CHAIN.map(async (agent) => callerAt(url, await issuer.issueToken({ agent }))));
  const [platform, operator] = [
    await issuer.issueToken({ role: 'platform' }),
    await issuer.issueToken({ role: 'operator' }),
  ];
  const [searcher, analyst, writer] = agents as [Call, Call, Call];
  const introspect = async (token: string): Promise<boolean> => {
    const headers = { authorization: `Bearer ${operator}` };
    const answer = await fetch(`${url}/oauth/introspect`, {
      method: 'POST',
      headers,
      body: new URLSearchParams({ token }),
    });
    return ((await answer.json()) as { active: boolean }).active;
  };
  return {
    ...{ searcher, analyst, writer, introspect },
    platform: callerAt(url, platform),
    operator: callerAt(url, operator),
  };
}

type Cast = Awaited<ReturnType<typeof cast>>;

/** Declares the agents and templates of the demo. A second run finds them. */
async function declare({ platform }: Cast): Promise<void> {
  for (const document of CHAIN_DOCUMENTS) {
    const { name } = document.metadata as { name: string };
    const isAgent = document.kind === 'Agent';
    const made = await platform(isAgent ? 'POST /agents' : 'POST /templates', document);
    if (made.status === 409) continue;
    const inForce = await platform(isAgent ? `POST /agents/${name}/activate` : `POST /templates/${name}/publish`);
    if (inForce.status !== 200) throw new Error(`${name} was refused: ${JSON.stringify({ made, inForce })}`);
  }
}

/** Hands a part of a task on and takes it up; returns the task. */
async function handOn(from: Call, parent: string, to: Call, agent: string, template: string): Promise<JsonObject> {
  const asked = { agent, template, parameters: {}, purpose: PURPOSE };
  const { body } = await from(`POST /tasks/${parent}/delegate`, asked);
  return (await to(`POST /tasks/${body.id as string}/accept`)).body;
}

function tokenOf(task: JsonObject): string {
  const [credential] = task.credentials as unknown as { secret: { token: string } }[];
  return credential?.secret.token ?? '';
}

function claimsOf(token: string): JsonObject {
  return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as JsonObject;
}

async function grow(who: Cast, claims: Claims) {
  claims.section('The searcher gets a task, and hands parts of it on');
  const root = (await who.searcher('POST /tasks', { template: 'chain-search', parameters: {}, purpose: PURPOSE })).body;
  const rootId = root.id as string;
  claims.prove('the searcher may read papers, and read and write notes', claimsOf(tokenOf(root)).act === undefined);
  const middle = await handOn(who.searcher, rootId, who.analyst, 'analyst', 'chain-analyse');
  claims.prove('the analyst took its part up with its own identity', middle.parentId === rootId);
  const leaf = await handOn(who.analyst, middle.id as string, who.writer, 'writer', 'chain-write');
  claims.prove('the writer took its part up from the analyst', leaf.parentId === middle.id);
  const { sub, act, client_id } = claimsOf(tokenOf(leaf)) as { sub: string; act: JsonObject; client_id: string };
  claims.prove('the token of the writer says who acts, and for whom', act.sub === client_id && sub !== client_id);
  claims.prove('nobody has more than its parent', claimsOf(tokenOf(leaf)).scope === 'papers.read');
  return { rootId, tokens: [root, middle, leaf].map(tokenOf) };
}

async function refuse(who: Cast, rootId: string, claims: Claims): Promise<void> {
  claims.section('What would be more is refused');
  const ask = async (template: string, agent: string, ttlSeconds = 60) =>
    (
      await who.searcher(`POST /tasks/${rootId}/delegate`, {
        template,
        agent,
        ttlSeconds,
        parameters: {},
        purpose: PURPOSE,
      })
    ).body.control;
  claims.prove('a template that is not named', (await ask('support-read-cases', 'analyst')) === 'delegation-template');
  claims.prove('a longer lifetime', (await ask('chain-analyse', 'analyst', 3_600)) === 'delegation-lifetime');
}

async function end(who: Cast, { rootId, tokens }: Awaited<ReturnType<typeof grow>>, claims: Claims) {
  claims.section('One call ends the whole tree');
  claims.prove('every token is active before it', (await active(who, tokens)) === 3);
  const began = performance.now();
  await who.operator(`DELETE /tasks/${rootId}`);
  claims.prove(`the operator revoked the root in ${milliseconds(began)}`, true);
  const { body } = await who.operator(`GET /tasks/${rootId}/tree`);
  const nodes = body.nodes as unknown as { agent: string; state: string; endCause?: string }[];
  for (const { agent, state, endCause } of nodes)
    claims.note(`${agent.padEnd(9)} ${state.padEnd(9)} ${endCause ?? ''}`);
  claims.prove(
    'every task of the tree has ended',
    nodes.length === 3 && nodes.every(({ endCause }) => endCause !== undefined),
  );
  claims.prove('no token is active any more', (await active(who, tokens)) === 0);
}

/** Counts the tokens that introspection calls active. */
async function active({ introspect }: Cast, tokens: readonly string[]): Promise<number> {
  return (await Promise.all(tokens.map(introspect))).filter(Boolean).length;
}

async function main(): Promise<void> {
  const config = readConfig();
  const url = config.publicUrl ?? `http://${config.host}:${String(config.port)}`;
  const claims = new Claims();
  const who = await cast(url, config);
  await declare(who);
  const grown = await grow(who, claims);
  await refuse(who, grown.rootId, claims);
  await end(who, grown, claims);
  process.stdout.write(claims.allHold ? '\nEvery check passed.\n' : '\nA check failed.\n');
  process.exit(claims.allHold ? 0 : 1);
}

main().catch((error: unknown) => {
  const reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`demo: ${reason}; is the service running (npm start)?\n`);
  process.exit(1);
});
