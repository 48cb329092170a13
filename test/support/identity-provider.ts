import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { JsonObject } from '@mayfly/kernel';
import Provider from 'oidc-provider';

const REDIRECT = 'http://127.0.0.1/signed-in';
const SECONDS = 300;

export interface IdentityProviderOptions {
  /** client ids; each may request its own token and log people in */
  readonly clients: readonly string[];
  /** the roles of each person, in the claim `realm_access.roles` as with Keycloak */
  readonly people: Readonly<Record<string, readonly string[]>>;
  /** the resource of all access tokens */
  readonly resource: string;
}

/** An OpenID provider over HTTP on loopback: npm's `oidc-provider`, with access tokens of RFC 9068. */
export interface IdentityProvider {
  readonly issuer: string;
  /** Returns the access token of a client, by client credentials. */
  clientToken(client: string): Promise<string>;
  /** Returns the access token of a person who logs in through a client, by authorization code. */
  personToken(client: string, person: string): Promise<string>;
  stop(): Promise<void>;
}

export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
  const secrets = new Map(options.clients.map((client) => [client, randomBytes(32).toString('hex')]));
  server.on('request', new Provider(issuer, configurationOf(options, secrets)).callback());

  const tokenFor = async (client: string, form: Record<string, string>): Promise<string> => {
    const basic = Buffer.from(`${client}:${secrets.get(client) ?? ''}`).toString('base64');
    const body = new URLSearchParams({ ...form, resource: options.resource });
    const answer = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body,
    });
    const { access_token: token } = (await answer.json()) as { readonly access_token?: string };
    if (token === undefined) throw new Error(`the identity provider answered ${String(answer.status)}`);
    return token;
  };
  return {
    issuer,
    clientToken: (client) => tokenFor(client, { grant_type: 'client_credentials', scope: 'use' }),
    personToken: async (client, person) => {
      const asked = { client_id: client, redirect_uri: REDIRECT, response_type: 'code', scope: 'openid use' };
      const query = new URLSearchParams({ ...asked, resource: options.resource });
      const code = await logIn(`${issuer}/auth?${query.toString()}`, person);
      return tokenFor(client, { grant_type: 'authorization_code', code, redirect_uri: REDIRECT });
    },
    stop: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function configurationOf({ people, resource }: IdentityProviderOptions, secrets: ReadonlyMap<string, string>): object {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return {
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    clients: [...secrets].map(([id, secret]) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials', 'authorization_code'],
      redirect_uris: [REDIRECT],
    })),
    ttl: Object.fromEntries(
      ['AccessToken', 'ClientCredentials', 'Grant', 'IdToken', 'Interaction', 'Session'].map((kind) => [kind, SECONDS]),
    ),
    pkce: { required: () => false },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({ scope: 'use', audience: resource, accessTokenFormat: 'jwt' }),
      },
    },
    findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    extraTokenClaims: (_: unknown, { accountId }: { readonly accountId?: string }): JsonObject =>
      accountId === undefined ? {} : { realm_access: { roles: [...(people[accountId] ?? [])] } },
  };
}

/** Logs in and consents on the provider's pages as a browser does. Returns the authorization code. */
async function logIn(start: string, person: string): Promise<string> {
  const cookies = new Map<string, string>();
  const open = async (url: string, form?: Record<string, string>): Promise<Response> => {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const post = form && { method: 'POST', body: new URLSearchParams(form) };
    const answer = await fetch(url, { headers: { cookie }, redirect: 'manual', ...post });
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      cookies.set(name, value);
    }
    return answer;
  };
  let url = start;
  for (let page = 0; page < 10; page += 1) {
    let answer = await open(url);
    if (answer.status === 200) {
      const [, prompt = ''] = /name="prompt" value="(\w+)"/.exec(await answer.text()) ?? [];
      answer = await open(url, { prompt, login: person, password: 'any' });
    }
    url = new URL(answer.headers.get('location') ?? '', start).href;
    const code = url.startsWith(REDIRECT) ? new URL(url).searchParams.get('code') : null;
    if (code !== null) return code;
  }
  throw new Error('the identity provider gave no code');
}
