import { sessionOf } from './aws.js';
import { known, textIn, type AccessContext, type AccessOf, type Secret, type ToolAccess } from './tool-access.js';

/** Converts a secret of `vault`: the data of a secrets engine, never a Vault token, so nothing sets VAULT_TOKEN. */
export const accessOfVault: AccessOf = (secret, context) =>
  awsEngine(secret, context) ?? databaseEngine(secret, context);

/** Converts a secret of the AWS engine: `security_token` and, in later versions, also `session_token`. */
function awsEngine(secret: Secret, { expiresAt }: AccessContext): ToolAccess | undefined {
  const [accessKeyId, secretAccessKey] = [textIn(secret, 'access_key'), textIn(secret, 'secret_key')];
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const sessionToken = textIn(secret, 'session_token') ?? textIn(secret, 'security_token');
  return {
    family: 'aws',
    session: sessionOf({ accessKeyId, secretAccessKey, sessionToken, expiration: expiresAt }),
  };
}

/**
 * Converts a secret of the database engine. The secret names neither the database nor its kind, so it counts as a login
 * at PostgreSQL only when the caller names a host or a database.
 */
function databaseEngine(secret: Secret, { pgHost, pgPort, pgDatabase }: AccessContext): ToolAccess | undefined {
  const [username, password] = [textIn(secret, 'username'), textIn(secret, 'password')];
  if (username === undefined || password === undefined) return undefined;
  if (pgHost === undefined && pgDatabase === undefined) return undefined;
  const places = known({ host: pgHost, port: pgPort, database: pgDatabase });
  return { family: 'postgres', login: { ...places, username, password } };
}
