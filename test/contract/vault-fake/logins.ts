import { createRemoteJWKSet, jwtVerify } from 'jose';
import { failure, success, textOf, type Answer, type Fields } from './answers.js';
import type { Namespace } from './namespace.js';
import { authOf, type Tokens } from './tokens.js';

/** Answers `auth/<mount>/login`. Like the server, it answers 400 for every wrong login. */
export async function logIn(tokens: Tokens, namespace: Namespace, mount: string, fields: Fields): Promise<Answer> {
  const type = namespace.authMounts.get(mount);
  if (type === 'jwt') return logInByToken(tokens, namespace, mount, fields);
  if (type === 'approle') return logInByRole(tokens, namespace, mount, fields);
  return failure(404, `no handler for route "auth/${mount}/login". route entry not found.`);
}

async function logInByToken(tokens: Tokens, namespace: Namespace, mount: string, fields: Fields): Promise<Answer> {
  const name = textOf(fields.role);
  const role = namespace.loginRoles.get(name);
  if (role === undefined) return failure(400, `role "${name}" could not be found`);
  try {
    const keys = createRemoteJWKSet(new URL(namespace.jwksUrl));
    const checks = { audience: role.audience, issuer: namespace.issuer, clockTolerance: 150, algorithms: ['RS256'] };
    const { payload } = await jwtVerify(textOf(fields.jwt), keys, checks);
    if (payload.sub !== role.subject) return failure(400, 'error validating token: invalid subject (sub) claim');
  } catch {
    return failure(400, 'error validating token: error verifying token signature: no known key successfully validated');
  }
  return granted(tokens, namespace, mount, role.policies, role.seconds);
}

function logInByRole(tokens: Tokens, namespace: Namespace, mount: string, fields: Fields): Answer {
  const role = [...namespace.appRoles.values()].find(({ roleId }) => roleId === fields.role_id);
  if (role === undefined || role.secretId !== fields.secret_id) return failure(400, 'invalid role or secret ID');
  return granted(tokens, namespace, mount, role.policies, role.seconds);
}

function granted(
  tokens: Tokens,
  namespace: Namespace,
  mount: string,
  policies: readonly string[],
  lifetime: number,
): Answer {
  const { token, seconds } = tokens.issue({
    namespace,
    policies: ['default', ...policies],
    displayName: mount,
    orphan: true,
    path: `auth/${mount}/login`,
    seconds: lifetime,
  });
  return success({ auth: authOf(token, seconds) });
}
