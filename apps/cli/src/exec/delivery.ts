import { isDeepStrictEqual } from 'node:util';
import type { Credential } from '@mayfly/client';
import {
  accessOf,
  awsEndpointVariables,
  awsVariables,
  chosenAccess,
  known,
  memberVariables,
  passwordLine,
  postgresVariables,
  requirePlain,
  tokenVariables,
  type NamedAccess,
  type PostgresLogin,
  type ToolVariables,
} from '@mayfly/sdk';
import type { Variables } from '../config.js';
import { AwsEndpoint } from './aws-endpoint.js';
import { commandEnvironment } from './command-environment.js';
import type { PrivateFiles } from './private-files.js';

const PASSWORD_FILE = 'pgpass';
const AUTHORITY_FILE = 'postgres-authority.pem';

export interface DeliveryOptions {
  /** names of the credentials to use when several match */
  readonly picked: readonly string[];
  readonly awsServer: boolean;
  readonly pgHost?: string;
  readonly pgPort?: string;
  readonly pgDatabase?: string;
}

export interface DeliveryParts {
  readonly files: PrivateFiles;
  readonly inherited: Variables;
  /** variables of the identity token in use, withheld from the command */
  readonly identityVariables: readonly string[];
}

/** Delivers a task's credentials to one command in the forms that its tools read, and renewed ones afterwards. */
export class Delivery {
  private current: readonly Credential[] = [];
  private endpoint: AwsEndpoint | undefined;

  constructor(
    private readonly options: DeliveryOptions,
    private readonly parts: DeliveryParts,
  ) {}

  /** Builds the environment of the command. Throws `UnusableCredential` when a credential cannot be delivered. */
  async prepare(taskId: string, credentials: readonly Credential[]): Promise<Record<string, string>> {
    this.current = credentials;
    const accesses = this.accessesOf(credentials);
    const members = memberVariables(credentials.map(({ name, secret = {} }) => ({ name, secret })));
    const tokens = accesses.flatMap(({ name, access }) =>
      access.family === 'token' ? [{ name, token: access.token }] : [],
    );
    const files = await Promise.all(
      Object.entries(members.files).map(
        async ([variable, text]) => [variable, await this.parts.files.write(variable.toLowerCase(), text)] as const,
      ),
    );
    const own = { ...members.set, ...Object.fromEntries(files), ...tokenVariables(tokens), MAYFLY_TASK_ID: taskId };
    const given = [await this.postgres(accesses), await this.aws(accesses), { set: own, withholds: () => false }];
    const variables = given.filter((one): one is ToolVariables => one !== undefined);
    return commandEnvironment(this.parts.inherited, variables, this.parts.identityVariables);
  }

  /**
   * Delivers credentials that a renewal issued again. Returns the earlier credentials that the command keeps, because
   * it got them in variables, which nobody can change from outside.
   */
  async handOn(renewed: readonly Credential[]): Promise<readonly Credential[]> {
    const before = new Map(this.current.map((credential) => [credential.name, credential]));
    const changed = renewed.filter(
      ({ name, secret }) => secret !== undefined && !isDeepStrictEqual(secret, before.get(name)?.secret),
    );
    const reached = await Promise.all(changed.map((credential) => this.replace(credential)));
    const stale = changed.filter((_, index) => reached[index] !== true);
    this.current = this.current.map((old) => ({ ...old, ...changed.find(({ name }) => name === old.name) }));
    return stale.flatMap(({ name }) => before.get(name) ?? []);
  }

  async close(): Promise<void> {
    await this.endpoint?.stop();
  }

  private accessesOf(credentials: readonly Credential[]): NamedAccess[] {
    const { pgHost, pgPort, pgDatabase } = this.options;
    const places = known({ pgHost, pgPort, pgDatabase });
    return credentials.flatMap(({ name, provider, secret = {}, expiresAt, providerExpiresAt }) => {
      const access = accessOf(provider, secret, { ...places, expiresAt: providerExpiresAt ?? expiresAt });
      return access === undefined ? [] : [{ name, access }];
    });
  }

  private async postgres(accesses: readonly NamedAccess[]): Promise<ToolVariables | undefined> {
    const chosen = chosenAccess('postgres', accesses, this.options.picked);
    if (chosen === undefined) return undefined;
    const { login } = chosen.access;
    const { sslrootcert } = login;
    return postgresVariables(login, {
      passwords: await this.writePasswords(login),
      ...(sslrootcert === undefined ? {} : { authority: await this.parts.files.write(AUTHORITY_FILE, sslrootcert) }),
    });
  }

  private async aws(accesses: readonly NamedAccess[]): Promise<ToolVariables | undefined> {
    const chosen = chosenAccess('aws', accesses, this.options.picked);
    if (chosen === undefined) return undefined;
    const { session } = chosen.access;
    if (!this.options.awsServer) return awsVariables(session);
    this.endpoint = await AwsEndpoint.start(session);
    return awsEndpointVariables(session, this.endpoint);
  }

  private writePasswords(login: PostgresLogin): Promise<string> {
    return this.parts.files.write(PASSWORD_FILE, passwordLine(login));
  }

  /** Delivers a new secret. Returns true when the command will see it. */
  private async replace(credential: Credential): Promise<boolean> {
    const [access] = this.accessesOf([credential]).map((one) => one.access);
    if (access?.family === 'aws' && this.endpoint !== undefined) {
      requirePlain('AWS_CONTAINER_CREDENTIALS_FULL_URI', Object.values(access.session).join(''));
      this.endpoint.replace(access.session);
      return true;
    }
    const [old] = this.accessesOf(this.current.filter(({ name }) => name === credential.name)).map((one) => one.access);
    if (access?.family !== 'postgres' || old?.family !== 'postgres') return false;
    if (access.login.username !== old.login.username) return false;
    await this.writePasswords(access.login);
    return true;
  }
}
