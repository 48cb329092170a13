import { AssumeRoleCommand, AssumeRoleWithWebIdentityCommand, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import type { DenyPolicyClaim, IdentityTokens, ProbeCheck, ProbeReport } from '@mayfly/credentials';
import { addSeconds, earliest, Problem } from '@mayfly/kernel';
import type { Accesses, AwsAnswer, CallBounds } from './accesses.js';
import { roleOf } from './arn.js';
import type { AwsAccess } from './aws-access.js';
import { FLOOR_SECONDS, type AwsConfig } from './config.schema.js';
import { readDenyPolicy, renderDenyPolicy } from './deny-policy.js';
import { planDenyPolicy, type DenyPolicyPlan } from './deny-policy-plan.js';
import { CALLS_SECONDS, type RoundParts } from './deny-policy-round.js';
import { detailFor } from './failures.js';
import { keepUnknown } from './kept-denials.js';

/** The policy of a probe's sessions, which denies everything. */
const NOTHING = '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}';
const SESSION_NAME = 'mayfly-probe';
/** The ARN of a user, a session or an account. */
const CALLER = /^arn:aws[a-z-]{0,10}:(?:iam|sts)::(?:\d{12})?:[\w+=,.@/-]{1,200}$/;
const UNREAD = 'not tested while Mayfly cannot read the deny policy, which may have denials that a write would remove';
const CUT_OFF = 'not tested while the deny policy has a cut-off';
const SLOW = 'the test took too long, and another process may write the deny policy now; try again';
const FOREIGN =
  'the role has an inline policy of this name that Mayfly did not write; use another `revocation.policyName`';

/** The parts that a probe works with. */
export interface ProbeParts {
  readonly accesses: Accesses;
  readonly identityTokens: IdentityTokens;
  /**
   * Runs `work` under a claim of the role's deny policy. Returns undefined while another process holds the claim.
   */
  exclusively<T>(
    roleArn: string,
    work: (claim: DenyPolicyClaim, parts: RoundParts) => Promise<T>,
  ): Promise<T | undefined>;
}

/** Tests a connection: its login, and on each of its `roles` every right that sessions and denials need. */
export class Probe {
  constructor(
    private readonly parts: ProbeParts,
    private readonly config: AwsConfig,
    private readonly bounds: CallBounds,
  ) {}

  async report(): Promise<ProbeReport> {
    const [login, ageSeconds] = await this.login();
    if (login.outcome !== 'ok') return { checks: [login, ...this.roles.map(skipped)] };
    const caller = await this.caller();
    const checks = [login, caller];
    for (const role of this.roles) checks.push(...(await this.role(role)));
    if (this.roles.length === 0) {
      checks.push({ name: 'roles', outcome: 'skipped', detail: 'list `roles` in the connection to test them' });
    }
    const offset = this.parts.accesses.at(this.config).clockOffsetSeconds;
    return {
      checks,
      ...(offset === undefined ? {} : { clockOffsetSeconds: offset }),
      ...(ageSeconds === undefined ? {} : { loginAgeSeconds: ageSeconds }),
    };
  }

  private get roles(): readonly string[] {
    return this.config.roles ?? [];
  }

  private async login(): Promise<[ProbeCheck, number | undefined]> {
    const answer = await this.call((access) => access.login());
    if ('failure' in answer) return [checkOf('log in', answer), undefined];
    const { temporary, ageSeconds } = answer.value;
    const detail = temporary ? 'with a session' : 'with long-lived keys; a role or `web-identity` needs none';
    return [{ name: 'log in', outcome: 'ok', detail }, temporary ? ageSeconds : undefined];
  }

  private async caller(): Promise<ProbeCheck> {
    const answer = await this.call(({ sts }, options) => sts.send(new GetCallerIdentityCommand({}), options));
    const name = 'sts:GetCallerIdentity';
    if ('value' in answer) return { name, outcome: 'ok', detail: callerText(answer.value.Arn) };
    // an engine without this call says so; the other checks still run
    return answer.failure.reason === 'refused'
      ? { name, outcome: 'skipped', detail: 'the engine does not have this call' }
      : checkOf(name, answer);
  }

  private async role(roleArn: string): Promise<readonly ProbeCheck[]> {
    const place = `on role/${roleOf(roleArn).name}`;
    const trust = await this.trust(roleArn, place);
    if (this.config.revocation.mode === 'none') return trust;
    return [...trust, ...(await this.denials(roleArn, place))];
  }

  /** Tries all rights at once. When AWS refuses, tries each right by itself. */
  private async trust(roleArn: string, place: string): Promise<readonly ProbeCheck[]> {
    const { sourceIdentity, tags } = this.config.trusted;
    const extras = [...(sourceIdentity ? (['sourceIdentity'] as const) : []), ...(tags ? (['tags'] as const) : [])];
    const byToken = this.config.auth.method === 'web-identity';
    const assume = `${byToken ? 'sts:AssumeRoleWithWebIdentity' : 'sts:AssumeRole'} ${place}`;
    const named = { sourceIdentity: `sts:SetSourceIdentity ${place}`, tags: `sts:TagSession ${place}` };
    const whole = await this.take(roleArn, extras);
    if ('value' in whole) return [assume, ...extras.map((extra) => named[extra])].map(ok);
    const bare = extras.length === 0 ? whole : await this.take(roleArn, []);
    if ('failure' in bare) {
      return [
        checkOf(assume, bare),
        ...extras.map((extra): ProbeCheck => ({ name: named[extra], outcome: 'skipped' })),
      ];
    }
    const checks = [ok(assume)];
    for (const extra of extras) checks.push(checkOf(named[extra], await this.take(roleArn, [extra])));
    return checks;
  }

  private take(roleArn: string, extras: readonly ('sourceIdentity' | 'tags')[]): Promise<AwsAnswer<unknown>> {
    const { auth } = this.config;
    const common = { RoleArn: roleArn, RoleSessionName: SESSION_NAME, DurationSeconds: FLOOR_SECONDS, Policy: NOTHING };
    const source = extras.includes('sourceIdentity');
    const tags = extras.includes('tags');
    if (auth.method !== 'web-identity') {
      const input = {
        ...common,
        ...(source ? { SourceIdentity: SESSION_NAME } : {}),
        ...(tags ? { Tags: [{ Key: 'mayfly:task', Value: SESSION_NAME }] } : {}),
      };
      return this.call(({ sts }, options) => sts.send(new AssumeRoleCommand(input), options));
    }
    const claims = {
      ...(source ? { 'https://aws.amazon.com/source_identity': SESSION_NAME } : {}),
      ...(tags ? { 'https://aws.amazon.com/tags': { principal_tags: { 'mayfly:task': [SESSION_NAME] } } } : {}),
    };
    return this.call(async ({ unsigned }, options) => {
      const order = { audience: auth.audience, subject: 'mayfly', lifetimeSeconds: 300, claims };
      const token = await this.parts.identityTokens.issue(order);
      return unsigned.send(new AssumeRoleWithWebIdentityCommand({ ...common, WebIdentityToken: token }), options);
    });
  }

  private async denials(roleArn: string, place: string): Promise<readonly ProbeCheck[]> {
    const names = ['Get', 'Put', 'Delete'].map((verb) => `iam:${verb}RolePolicy ${place}`);
    const done = await this.parts
      .exclusively(roleArn, (claim, parts) => this.tryDocument(claim, parts, names))
      .catch(problemOf);
    if (done !== undefined && !(done instanceof Problem)) return done;
    const detail = done?.detail ?? 'another process is writing the deny policy; try again';
    return names.map((name) => ({ name, outcome: 'failed', detail }));
  }

  /**
   * Runs under a claim, so that no denial is lost. When denials must be in force, writes exactly those once more and
   * does not try the removal. Otherwise writes a document that denies nobody, and removes it. When the names do not
   * fit, writes nothing: a cut-off that nobody recorded would deny other sessions too.
   */
  private async tryDocument(
    claim: DenyPolicyClaim,
    parts: RoundParts,
    names: readonly string[],
  ): Promise<readonly ProbeCheck[]> {
    const [get = '', put = '', remove = ''] = names;
    const { policy, clock, maxCharacters, denyPolicies } = parts;
    // no call may outlast the claim
    const bounds = {
      signal: AbortSignal.any([this.bounds.signal, AbortSignal.timeout(CALLS_SECONDS * 1000)]),
      until: earliest(this.bounds.until, addSeconds(clock.now(), CALLS_SECONDS)),
    };
    const place = await policy.locate(bounds);
    if ('failure' in place) return names.map((name) => checkOf(name, place));
    const found = await policy.read(bounds);
    const read = checkOf(get, found);
    if ('failure' in found) return [read, ...[put, remove].map((name) => skippedFor(name, UNREAD))];
    const known = await keepUnknown(denyPolicies, claim, found.value);
    if (known === undefined) return names.map((name) => ({ name, outcome: 'failed', detail: SLOW }));
    const plan = planDenyPolicy(known, clock.now(), maxCharacters);
    if (plan.denials === undefined && isForeign(found.value))
      return [{ name: get, outcome: 'failed', detail: FOREIGN }];
    return [read, ...(await this.tryPlan(plan, parts, known, [put, remove], bounds))];
  }

  private async tryPlan(
    { denials, cutOff }: DenyPolicyPlan,
    { policy }: RoundParts,
    { revision }: DenyPolicyClaim,
    [put, remove]: readonly [string, string],
    bounds: CallBounds,
  ): Promise<readonly ProbeCheck[]> {
    if (cutOff !== undefined) return [put, remove].map((name) => skippedFor(name, CUT_OFF));
    const document = renderDenyPolicy(denials ?? { names: [] }, revision);
    return this.tryWriting(policy, document, denials !== undefined, [put, remove], bounds);
  }

  private async tryWriting(
    policy: RoundParts['policy'],
    document: string,
    hasToStand: boolean,
    [put, remove]: readonly [string, string],
    bounds: CallBounds,
  ): Promise<readonly ProbeCheck[]> {
    const written = checkOf(put, await policy.write(document, bounds));
    if (hasToStand) return [written, skippedFor(remove, 'not tested while the deny policy has denials')];
    if (written.outcome !== 'ok') return [written, { name: remove, outcome: 'skipped' }];
    return [written, checkOf(remove, await policy.remove(bounds))];
  }

  private async call<T>(
    send: (access: AwsAccess, options: { abortSignal: AbortSignal }) => Promise<T>,
  ): Promise<AwsAnswer<T>> {
    try {
      return await this.parts.accesses.call(this.config, this.bounds, send);
    } catch (error) {
      // Mayfly failed before the call: it has no identity token, or no time left
      const { code, detail } = problemOf(error);
      return { failure: { reason: 'no-credentials', code, certain: true, ownDetail: detail } };
    }
  }
}

/** Returns true when the role has a policy of this name that Mayfly did not write, or that was edited. */
function isForeign(text: string | undefined): boolean {
  return text !== undefined && readDenyPolicy(text) === undefined;
}

function callerText(arn: string | undefined): string {
  return arn !== undefined && CALLER.test(arn) ? `as ${arn}` : 'the engine names no caller';
}

function ok(name: string): ProbeCheck {
  return { name, outcome: 'ok' };
}

function skipped(roleArn: string): ProbeCheck {
  return { name: `role/${roleOf(roleArn).name}`, outcome: 'skipped' };
}

function skippedFor(name: string, detail: string): ProbeCheck {
  return { name, outcome: 'skipped', detail };
}

function checkOf(name: string, answer: AwsAnswer<unknown>): ProbeCheck {
  if ('value' in answer) return ok(name);
  const outcome = answer.failure.reason === 'access-denied' ? 'missing' : 'failed';
  return { name, outcome, detail: `${detailFor(answer.failure)} (${answer.failure.code})` };
}

function problemOf(error: unknown): Problem {
  return error instanceof Problem
    ? error
    : new Problem('provider_unavailable', 'Mayfly failed during the test; try again');
}
