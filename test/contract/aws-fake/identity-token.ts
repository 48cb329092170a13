import { createRemoteJWKSet, decodeJwt, jwtVerify, type JWTPayload } from 'jose';
import type { Account } from './account.js';
import { AwsError } from './answers.js';

/** Verifies a token as AWS does and returns its claims: a known issuer, fetched keys, RS256 only. */
export async function verifyIdentityToken(account: Account, token: string): Promise<JWTPayload> {
  const issuer = readIssuer(token);
  const provider = account.oidcProviders.get(issuer.replace(/^https?:\/\//, ''));
  if (provider === undefined) throw invalid('No OpenIDConnect provider found in your account for the issuer');
  const keys = createRemoteJWKSet(new URL(await keysOf(issuer)));
  const audience = [...provider.clientIds];
  const options = {
    issuer,
    audience,
    algorithms: ['RS256'],
    currentDate: account.now(),
    requiredClaims: ['exp', 'iat', 'sub'],
  };
  try {
    return (await jwtVerify(token, keys, options)).payload;
  } catch (error) {
    const isExpired = (error as { code?: string }).code === 'ERR_JWT_EXPIRED';
    throw isExpired ? new AwsError('ExpiredTokenException', 400, 'Token expired') : invalid('The token is not valid');
  }
}

async function keysOf(issuer: string): Promise<string> {
  try {
    const answer = await fetch(`${issuer}/.well-known/openid-configuration`);
    return ((await answer.json()) as { jwks_uri: string }).jwks_uri;
  } catch {
    throw new AwsError('IDPCommunicationError', 400, "Couldn't retrieve verification key from your identity provider");
  }
}

function readIssuer(token: string): string {
  try {
    return String(decodeJwt(token).iss);
  } catch {
    throw invalid('The ID Token provided is not a valid JWT.');
  }
}

function invalid(why: string): AwsError {
  return new AwsError('InvalidIdentityToken', 400, why);
}
