import { devNull } from 'node:os';
import { known, textIn, type AccessOf, type AwsSession, type ToolVariables } from './tool-access.js';

/** AWS settings that name neither a credential nor its source. A command inherits no other `AWS_*` variable. */
const HARMLESS =
  /^AWS_(CA_BUNDLE|CLI_\w+|CONFIG_FILE|DEFAULT_OUTPUT|ENDPOINT_URL(_\w+)?|MAX_ATTEMPTS|PAGER|RETRY_MODE|STS_REGIONAL_ENDPOINTS|USE_\w+_ENDPOINT|(REQUEST|RESPONSE)_CHECKSUM_\w+)$/;

/** Converts a secret of `aws-sts`. */
export const accessOfAwsSts: AccessOf = (secret, { expiresAt }) => {
  const [accessKeyId, secretAccessKey] = [textIn(secret, 'accessKeyId'), textIn(secret, 'secretAccessKey')];
  if (accessKeyId === undefined || secretAccessKey === undefined) return undefined;
  const [sessionToken, region] = [textIn(secret, 'sessionToken'), textIn(secret, 'region')];
  const expiration = textIn(secret, 'expiration') ?? expiresAt;
  return { family: 'aws', session: sessionOf({ accessKeyId, secretAccessKey, sessionToken, expiration, region }) };
};

/** Builds a session and leaves out undefined members. */
export function sessionOf(parts: {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string | undefined;
  readonly expiration: string;
  readonly region?: string | undefined;
}): AwsSession {
  const { sessionToken, region, ...rest } = parts;
  return {
    ...rest,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(region === undefined ? {} : { region }),
  };
}

/** Variables for a command that keeps one session. SDKs read them first, unless a profile is named. */
export function awsVariables(session: AwsSession): ToolVariables {
  return {
    withholds: (name) => name.startsWith('AWS_') && !HARMLESS.test(name),
    set: known({
      AWS_ACCESS_KEY_ID: session.accessKeyId,
      AWS_SECRET_ACCESS_KEY: session.secretAccessKey,
      AWS_SESSION_TOKEN: session.sessionToken,
      AWS_CREDENTIAL_EXPIRATION: session.expiration,
      ...places(session),
    }),
  };
}

/**
 * Variables for a command that fetches the current session from an endpoint. SDKs read the shared files first, so both
 * files are empty.
 */
export function awsEndpointVariables(session: AwsSession, endpoint: { url: string; token: string }): ToolVariables {
  return {
    withholds: (name) => name.startsWith('AWS_') && !HARMLESS.test(name),
    set: known({
      AWS_CONTAINER_CREDENTIALS_FULL_URI: endpoint.url,
      AWS_CONTAINER_AUTHORIZATION_TOKEN: endpoint.token,
      AWS_SHARED_CREDENTIALS_FILE: devNull,
      AWS_CONFIG_FILE: devNull,
      ...places(session),
    }),
  };
}

/**
 * Returns the variables of every session: its region, and the switch that keeps SDKs from using the machine's own
 * identity after the session has ended.
 */
function places({ region }: AwsSession) {
  return { AWS_REGION: region, AWS_DEFAULT_REGION: region, AWS_EC2_METADATA_DISABLED: 'true' };
}
