import {
  clientLibrary,
  unlessAborted,
  type ClockReporting,
  type ConnectionAware,
  type CredentialProvider,
  type EffectiveTraits,
  type IdentityTokens,
  type Minted,
  type Probeable,
  type ProbeReport,
  type Renewable,
  type RevocationOutcome,
  type ScopeObjection,
  type SharedRevocation,
  type DenialFindings,
  type DenyPolicies,
} from '@mayfly/credentials';
import { addSeconds, Problem, type Clock, type ClockReading } from '@mayfly/kernel';
import type { ZodType } from 'zod';
import type { Accesses } from './accesses.js';
import { AWS_AUTHORING } from './authoring.js';
import { awsConfigSchema, listCharacters, type AwsConfig } from './config.schema.js';
import type { RoundParts } from './deny-policy-round.js';
import { DenyPolicyWriter, type DenyPolicyReport, type DenyPolicyWish } from './deny-policy-writer.js';
import { detailFor, problemFor } from './failures.js';
import { AwsHandleSchema, iamOf, readRevocationPoint, revocationPointName, type AwsHandle } from './handle.schema.js';
import { inspectScope } from './inspect-scope.js';
import type { ProbeParts } from './probe.js';
import type * as Remote from './remote.js';
import { outcomeOf, unknownFrom, withoutIam, type AwsRevocation } from './revocation.js';
import { AwsScopeSchema, type AwsScope } from './scope.schema.js';
import type { AwsOrder } from './session.js';
import { AWS_TRAITS, refuseLifetime, effectiveTraitsOf } from './traits.js';

export interface AwsStsParts {
  readonly clock: Clock;
  readonly denyPolicies: DenyPolicies;
  readonly identityTokens: IdentityTokens;
  /** allows http endpoints; for use outside production */
  readonly allowPlainHttp: boolean;
}

const PROBE_SECONDS = 60;
const NOTHING_FOUND: DenialFindings = { missing: [], kept: [] };

/** The code that calls AWS, with the clients of all connections. */
type Loaded = typeof Remote & { readonly accesses: Accesses };

/**
 * Mints one session of a role for each lease, named after the lease, with a part of the role's rights (ADR 0008). AWS
 * cannot revoke a session: the session's own policy denies everything from the granted deadline on, and before that a
 * deny policy at the role denies it by name.
 */
export class AwsStsProvider
  implements
    CredentialProvider<AwsConfig, AwsScope, AwsHandle>,
    Renewable<AwsConfig, AwsScope, AwsHandle>,
    Probeable<AwsConfig>,
    ConnectionAware<AwsConfig, AwsScope>,
    SharedRevocation<AwsConfig, AwsHandle>,
    ClockReporting<AwsConfig>
{
  readonly kind = 'aws-sts';
  readonly schemas: { config: ZodType<AwsConfig>; scope: ZodType<AwsScope>; handle: ZodType<AwsHandle> };
  readonly secretMembers = ['/auth/accessKeyId', '/auth/secretAccessKey', '/auth/sessionToken', '/tls/ca'];
  readonly traits = AWS_TRAITS;
  readonly authoring = AWS_AUTHORING;
  private loading: Promise<Loaded> | undefined;
  private loaded: Loaded | undefined;
  private readonly writers = new Map<string, DenyPolicyWriter>();

  constructor(private readonly parts: AwsStsParts) {
    this.schemas = { config: awsConfigSchema(parts.allowPlainHttp), scope: AwsScopeSchema, handle: AwsHandleSchema };
  }

  traitsFor(config: AwsConfig): EffectiveTraits {
    return effectiveTraitsOf(config);
  }

  inspect(config: AwsConfig, scope: AwsScope): readonly ScopeObjection[] {
    return inspectScope(config, scope);
  }

  plan(order: AwsOrder): AwsHandle {
    refuseLifetime(order);
    const fault = inspectScope(order.config, order.scope).find(({ severity }) => severity === 'error');
    if (fault !== undefined) throw new Problem('provider_rejected', fault.detail);
    return { roleArn: order.scope.roleArn, sessionName: order.leaseId, iam: iamOf(order.config) };
  }

  async mint(order: AwsOrder, planned: AwsHandle, signal: AbortSignal): Promise<Minted<AwsHandle>> {
    refuseLifetime(order);
    const { clock, identityTokens } = this.parts;
    const { accesses, takeRole, mintedFrom } = await this.remote();
    const bounds = { signal, until: order.mintBy };
    const answer = await accesses.call(order.config, bounds, (access, options) =>
      takeRole(access, identityTokens, order, planned, { ...options, now: clock.now() }),
    );
    if ('failure' in answer) throw problemFor(answer.failure);
    return mintedFrom(answer.value, order, planned, accesses.at(order.config).clockOffsetSeconds);
  }

  /**
   * Mints another session under the same name, because AWS cannot prolong a session. The same denial ends both. Throws
   * `provider_rejected` when the connection leads to another IAM.
   */
  async renew(order: AwsOrder, handle: AwsHandle, signal: AbortSignal): Promise<Minted<AwsHandle>> {
    if (handle.iam === iamOf(order.config)) return this.mint(order, handle, signal);
    throw new Problem(
      'provider_rejected',
      'the connection names another IAM than the one that made the session; set `endpoints` back',
    );
  }

  async revoke(order: AwsRevocation, signal: AbortSignal): Promise<RevocationOutcome> {
    const { clock } = this.parts;
    try {
      const known = withoutIam(order, clock.now());
      if (known !== undefined) return known;
      const wish = { lease: order.leaseId, confirm: order.effectiveAt !== undefined };
      const report = this.ask(revocationPointName(order.handle), order.config, wish);
      return outcomeOf(await unlessAborted(signal, report, late), order, clock);
    } catch (error) {
      return unknownFrom(error);
    }
  }

  clockAt(config: AwsConfig): ClockReading | undefined {
    return this.loaded?.accesses.at(config).clock;
  }

  revocationPointOf(handle: AwsHandle, { revocation }: AwsConfig): string | undefined {
    return revocation.mode === 'none' ? undefined : revocationPointName(handle);
  }

  /** The roles that the connection lists: their denials count also when the database has lost every lease at them. */
  revocationPointsIn(config: AwsConfig): readonly string[] {
    if (config.revocation.mode === 'none') return [];
    return (config.roles ?? []).map((roleArn) => revocationPointName({ roleArn, iam: iamOf(config) }));
  }

  async maintain(config: AwsConfig, point: string, signal: AbortSignal): Promise<DenialFindings | undefined> {
    if (config.revocation.mode === 'none') return NOTHING_FOUND;
    if (readRevocationPoint(point).iam !== iamOf(config)) {
      throw new Problem(
        'provider_unavailable',
        'the connection names another IAM than the one that made its sessions; set `endpoints` back',
      );
    }
    const report = await unlessAborted(signal, this.ask(point, config, { confirm: false }), late);
    if (report.kind === 'failed') {
      throw new Problem('provider_unavailable', detailFor(report.failure), { reason: report.failure.reason });
    }
    if (report.kind === 'role-gone') return NOTHING_FOUND;
    return report.kind === 'standing' ? report.findings : undefined;
  }

  async probe(config: AwsConfig, signal: AbortSignal): Promise<ProbeReport> {
    const { clock, identityTokens } = this.parts;
    const remote = await this.remote();
    const { accesses, Probe } = remote;
    const exclusively: ProbeParts['exclusively'] = (roleArn, work) => {
      const point = revocationPointName({ roleArn, iam: iamOf(config) });
      const parts = this.roundParts(remote, point, config);
      return this.writerOf(point).exclusively(parts, (claim) => work(claim, parts));
    };
    const bounds = { signal, until: addSeconds(clock.now(), PROBE_SECONDS) };
    return new Probe({ accesses, identityTokens, exclusively }, config, bounds).report();
  }

  /** Closes all connections. No call may be in progress. */
  async close(): Promise<void> {
    (await this.loading)?.accesses.close();
  }

  private async ask(point: string, config: AwsConfig, wish: DenyPolicyWish): Promise<DenyPolicyReport> {
    const parts = this.roundParts(await this.remote(), point, config);
    return this.writerOf(point).ask(wish, parts);
  }

  private remote(): Promise<Loaded> {
    this.loading ??= clientLibrary('@aws-sdk', () => import('./remote.js')).then((remote) => ({
      ...remote,
      accesses: new remote.Accesses(this.parts),
    }));
    void this.loading.then(
      (loaded) => (this.loaded = loaded),
      () => undefined,
    );
    return this.loading;
  }

  private writerOf(point: string): DenyPolicyWriter {
    for (const [other, writer] of this.writers) if (other !== point && writer.isIdle) this.writers.delete(other);
    const writer = this.writers.get(point) ?? new DenyPolicyWriter(point);
    this.writers.set(point, writer);
    return writer;
  }

  private roundParts({ accesses, RolePolicy }: Loaded, point: string, config: AwsConfig): RoundParts {
    const { revocation } = config;
    if (revocation.mode === 'none')
      throw new Problem('provider_rejected', 'the connection has no revocation by deny policy; set `revocation.mode`');
    const policy = new RolePolicy(accesses, config, readRevocationPoint(point).roleArn, revocation.policyName);
    return {
      ...this.parts,
      policy,
      maxCharacters: listCharacters(revocation),
      staleSeconds: revocation.propagationSeconds,
    };
  }
}

/** Returns the problem for a caller whose deadline passed. The round continues for the callers that share it. */
function late(): Problem {
  return new Problem('provider_unavailable', 'IAM did not answer in time; wait, Mayfly tries again', {
    reason: 'unknown-outcome',
  });
}
