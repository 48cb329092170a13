import { accessOfAwsSts } from './aws.js';
import { accessOfPostgres } from './postgres.js';
import { textIn, type AccessContext, type AccessOf, type Secret, type ToolAccess } from './tool-access.js';
import { accessOfVault } from './vault.js';

const ACCESS_BY_PROVIDER: ReadonlyMap<string, AccessOf> = new Map<string, AccessOf>([
  ['aws-sts', accessOfAwsSts],
  ['postgres', accessOfPostgres],
  ['vault', accessOfVault],
  ['signed-token', accessOfSignedToken],
]);

/** Converts a secret for tools. Returns undefined when no known tool uses such a secret. Pure. */
export function accessOf(provider: string, secret: Secret, context: AccessContext): ToolAccess | undefined {
  return ACCESS_BY_PROVIDER.get(provider)?.(secret, context);
}

function accessOfSignedToken(secret: Secret): ToolAccess | undefined {
  const token = textIn(secret, 'token');
  return token === undefined ? undefined : { family: 'token', token };
}
