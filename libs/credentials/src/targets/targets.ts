import type { Connection } from '../connection.js';
import type { AnyProvider, EffectiveTraits, RelatedConnections } from '../provider.js';
import { attenuable, connectionsOf, objectionsTo, remarksOn, traitsOf } from '../provider-questions.js';
import { parseValue } from '../parse-value.js';
import type { ProviderRegistry } from '../registry.js';
import { schemaFault, type SchemaFault } from '../schema-fault.js';
import { resolveSecrets, type SecretSource } from '../secret-reference.js';
import { digestOf, type Json, Problem } from '@mayfly/kernel';
import type { ConnectionSource, DeclaredRelated, Target } from './target.js';

/** The configuration of a credential without a connection: one object, so that each provider parses it once. */
const NO_CONFIG: Json = Object.freeze({});

/** Turns the name of a connection into a provider and its configuration. */
export class Targets {
  constructor(
    private readonly providers: ProviderRegistry,
    private readonly connections: ConnectionSource,
    private readonly secrets: SecretSource,
  ) {}

  /**
   * Returns the target of a scope. Throws `provider_rejected` when a connection is missing, belongs to another
   * provider, or its secrets cannot be read. Does not check for disabled connections: `requireEnabled` and the commit
   * do.
   */
  async resolve(kind: string, connection: string | undefined, scope: Json): Promise<Target> {
    const provider = this.providers.get(kind);
    const related = this.declaredRelated(provider, scope);
    const own = connection === undefined ? {} : { connection };
    const config = connection === undefined ? NO_CONFIG : this.usable(connection, kind).spec.config;
    return { ...(await this.targetOf(provider, config, related, this.relatedOf(related))), ...own };
  }

  /** Returns the traits of a credential of this kind, connection and scope. Reads no secret. */
  traits(kind: string, connection: string | undefined, scope?: Json): EffectiveTraits {
    const provider = this.providers.get(kind);
    const config = parseValue(provider.schemas.config, this.declaredConfig(connection));
    const parsed: unknown = scope === undefined ? undefined : parseValue(provider.schemas.scope, scope).data;
    return config.success ? traitsOf(provider, config.data, parsed) : provider.traits;
  }

  /** Returns the fault that the provider, or the declared connection, finds in a rendered scope, or undefined. */
  scopeFault(kind: string, connection: string | undefined, scope: Json): SchemaFault | undefined {
    const provider = this.providers.get(kind);
    const tooWide = remarksOn(provider, scope).find((remark) => remark.kind === 'too-wide');
    // INVARIANT: I9, the linter's rule on wide texts also applies to the values of a request.
    const fault = schemaFault(provider.schemas.scope, scope) ?? tooWide;
    if (fault !== undefined) return fault;
    const config = parseValue(provider.schemas.config, this.declaredConfig(connection));
    if (!config.success) return undefined; // `resolve` and the probe report faults of a connection
    const error = objectionsTo(provider, config.data, parseValue(provider.schemas.scope, scope).data).find(
      ({ severity }) => severity === 'error',
    );
    return error === undefined ? undefined : { path: [], detail: error.detail };
  }

  /**
   * True when the scope of a child is within that of its parent, both of one provider and one connection. INVARIANT: I8,
   * a scope that cannot be compared must be the same.
   */
  isWithin(kind: string, scope: Json, parent: Json): boolean {
    if (digestOf(scope) === digestOf(parent)) return true;
    const provider = this.providers.get(kind);
    const [own, above] = [scope, parent].map((one) => parseValue(provider.schemas.scope, one));
    if (own?.success !== true || above?.success !== true) return false;
    return attenuable(provider)?.isWithin(own.data, above.data) === true;
  }

  /**
   * Returns the target of recorded configurations, with the current secrets. Leaves out a related connection that
   * cannot be read, so that it delays no revocation that works without it (I4). Throws `provider_rejected`.
   */
  async restore(kind: string, declared: Json, declaredRelated: DeclaredRelated = {}): Promise<Target> {
    return this.targetOf(this.providers.get(kind), declared, declaredRelated, this.readableOf(declaredRelated));
  }

  /** Returns the connection of this name as it is declared, or undefined. */
  connection(name: string): Connection | undefined {
    return this.connections.find(name);
  }

  /** Throws `policy_denied` (control `connection-state`) when the connection is disabled. */
  requireEnabled(connection: string | undefined): void {
    if (connection !== undefined && this.connections.find(connection)?.disabled === true)
      throw disabledProblem(connection);
  }

  private declaredConfig(connection: string | undefined): Json | undefined {
    return connection === undefined ? NO_CONFIG : this.connections.find(connection)?.spec.config;
  }

  private usable(name: string, kind: string): Connection {
    const declared = this.connections.find(name);
    if (declared?.spec.provider !== kind) {
      throw new Problem('provider_rejected', `there is no connection \`${name}\` of provider \`${kind}\`; declare it`);
    }
    return declared;
  }

  private declaredRelated(provider: AnyProvider, scope: Json): DeclaredRelated {
    return Object.fromEntries(
      connectionsOf(provider, scope).map((name) => {
        const spec = this.connections.find(name)?.spec;
        if (spec === undefined) throw new Problem('provider_rejected', `connection \`${name}\` is missing; declare it`);
        return [name, { provider: spec.provider, config: spec.config }];
      }),
    );
  }

  private async targetOf(
    provider: AnyProvider,
    declared: Json,
    declaredRelated: DeclaredRelated,
    reading: Promise<RelatedConnections>,
  ): Promise<Target> {
    const [config, related] = await Promise.all([this.configOf(provider, declared), reading]);
    const check: Target['check'] = (order, minted) => this.providers.check(provider.kind, order, minted);
    const target = { provider, declared, config, check };
    return Object.keys(declaredRelated).length === 0 ? target : { ...target, declaredRelated, related };
  }

  /** Returns all related connections. Throws when one cannot be read. */
  private async relatedOf(declared: DeclaredRelated): Promise<RelatedConnections> {
    const entries = Object.entries(declared).map(async ([name, { provider, config }]) => {
      return [name, { provider, config: await this.configOf(this.providers.get(provider), config) }] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  }

  /** Returns the related connections that can be read. */
  private async readableOf(declared: DeclaredRelated): Promise<RelatedConnections> {
    const each = Object.entries(declared).map(([name, one]) => this.relatedOf({ [name]: one }));
    const read = await Promise.allSettled(each);
    return Object.fromEntries(read.flatMap((one) => (one.status === 'fulfilled' ? Object.entries(one.value) : [])));
  }

  private async configOf(provider: AnyProvider, declared: Json): Promise<unknown> {
    const resolved = await resolveSecrets(declared, this.secrets, provider.secretMembers);
    const parsed = parseValue(provider.schemas.config, resolved);
    if (parsed.success) return parsed.data;
    const places = parsed.error.issues.map((issue) => issue.path.join('.') || 'its shape').join(', ');
    throw new Problem(
      'provider_rejected',
      `the configuration of a connection of \`${provider.kind}\` is wrong; correct ${places}`,
    );
  }
}

/** The denial of a request that would mint through a disabled connection. */
function disabledProblem(connection: string): Problem {
  return new Problem('policy_denied', `connection \`${connection}\` is disabled`, {
    control: 'connection-state',
    help: 'ask its owner to enable it',
  });
}
