import { randomBytes } from 'node:crypto';
import { deflateRawSync } from 'node:zlib';
import { ACCOUNT, keyId, type Account, type Principal, type Role, type Session } from './account.js';
import { answerXml, AwsError, type Call } from './answers.js';
import { verifyIdentityToken } from './identity-token.js';
import { decide, readPolicy, type PolicyDocument } from './policy.js';

const NAME = /^[\w+=,.@-]{2,64}$/;
const POLICY_CHARACTERS = /^[\t\n\r\x20-\xff]+$/;
const TAG = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u;
const TAGS_CLAIM = 'https://aws.amazon.com/tags';
const SOURCE_CLAIM = 'https://aws.amazon.com/source_identity';

/** STS. It refuses all that AWS refuses, and more where AWS's rule is unknown. */
export class Sts {
  constructor(private readonly account: Account) {}

  async answer(call: Call, caller: Principal | undefined): Promise<string> {
    if (call.action === 'AssumeRoleWithWebIdentity') return this.assumeWithToken(call);
    if (caller === undefined)
      throw new AwsError('MissingAuthenticationToken', 403, 'Request is missing Authentication Token');
    if (call.action === 'AssumeRole') return this.assume(call, caller);
    if (call.action === 'GetCallerIdentity') {
      return answerXml(call, { Arn: caller.arn, UserId: caller.userId, Account: ACCOUNT });
    }
    throw new AwsError('InvalidAction', 400, `Could not find operation ${call.action}`);
  }

  private assume(call: Call, caller: Principal): string {
    const { form } = call;
    const role = this.roleOf(form, caller.arn, 'sts:AssumeRole');
    const own = tagsOf(members(form, 'Tags', 'Key', 'Value'));
    const from = inheritedBy(caller.session);
    const sourceIdentity = from.sourceIdentity ?? form.get('SourceIdentity') ?? undefined;
    const actions = [
      'sts:AssumeRole',
      ...(form.has('SourceIdentity') ? ['sts:SetSourceIdentity'] : []),
      ...(own.size > 0 ? ['sts:TagSession'] : []),
    ];
    const context = new Map([
      ...requestContext(form, own, sourceIdentity),
      ...[...form].filter(([key]) => key === 'ExternalId').map(([, id]) => ['sts:externalid', [id]] as const),
      ...this.account.contextOf(caller),
    ]);
    this.requireTrust(role, caller, actions, context);
    const transitive = [...from.transitive, ...list(form, 'TransitiveTagKeys.member')];
    const marks = { tags: new Map([...from.tags, ...own]), transitive, sourceIdentity };
    return this.give(call, this.session(form, role, marks, caller.session));
  }

  /**
   * Throws unless the role trusts the caller with each action and the caller may do it; AWS requires less in one
   * account.
   */
  private requireTrust(
    role: Role,
    caller: Principal,
    actions: readonly string[],
    context: Map<string, readonly string[]>,
  ): void {
    const roles = caller.session === undefined ? [] : [caller.session.role.arn];
    const principal = { kind: 'AWS' as const, names: [caller.arn, ...roles, ACCOUNT, `arn:aws:iam::${ACCOUNT}:root`] };
    for (const action of actions) {
      const trusted = decide([role.trust], { action, resource: role.arn, context, principal });
      if (trusted !== 'allow') throw refused(caller.arn, action, role);
      this.account.authorize(caller, action, role.arn, context);
    }
  }

  private async assumeWithToken(call: Call): Promise<string> {
    const { form } = call;
    const token = form.get('WebIdentityToken') ?? '';
    const claims = await verifyIdentityToken(this.account, token);
    const role = this.roleOf(form, String(claims.sub), call.action);
    const host = String(claims.iss).replace(/^https?:\/\//, '');
    const tags = (claims[TAGS_CLAIM] ?? {}) as {
      principal_tags?: Record<string, string[]>;
      transitive_tag_keys?: string[];
    };
    const own = tagsOf(Object.entries(tags.principal_tags ?? {}).map(([key, values]) => [key, values[0] ?? '']));
    const sourceIdentity = claims[SOURCE_CLAIM] as string | undefined;
    const context = new Map([
      ...requestContext(form, own, sourceIdentity),
      [`${host}:sub`.toLowerCase(), [String(claims.sub)]],
      [`${host}:aud`.toLowerCase(), [String(claims.aud)]],
    ]);
    const principal = { kind: 'Federated' as const, names: [`arn:aws:iam::${ACCOUNT}:oidc-provider/${host}`] };
    const actions = [
      'sts:AssumeRoleWithWebIdentity',
      ...(sourceIdentity === undefined ? [] : ['sts:SetSourceIdentity']),
      ...(own.size > 0 ? ['sts:TagSession'] : []),
    ];
    for (const action of actions) {
      if (decide([role.trust], { action, resource: role.arn, context, principal }) !== 'allow') {
        throw new AwsError('AccessDenied', 403, `Not authorized to perform: ${action}`);
      }
    }
    const transitive = tags.transitive_tag_keys ?? [];
    return this.give(call, this.session(form, role, { tags: own, transitive, sourceIdentity }, undefined));
  }

  /** Finds a role. An unknown role gets the same refusal as one that does not trust the caller. */
  private roleOf(form: URLSearchParams, who: string, action: string): Role {
    const arn = form.get('RoleArn') ?? '';
    const role = [...this.account.roles.values()].find((known) => known.arn === arn);
    if (role !== undefined) return role;
    throw new AwsError('AccessDenied', 403, `User: ${who} is not authorized to perform: ${action} on resource: ${arn}`);
  }

  private session(
    form: URLSearchParams,
    role: Role,
    {
      tags,
      transitive,
      sourceIdentity,
    }: { tags: Map<string, string>; transitive: readonly string[]; sourceIdentity: string | undefined },
    chainedFrom: Session | undefined,
  ): Session & { readonly packed: number } {
    const name = nameIn(form, sourceIdentity);
    if (!transitive.every((key) => tags.has(key))) throw invalid('transitiveTagKeys');
    const seconds = durationOf(form, role, chainedFrom !== undefined);
    const { policies, text } = this.sessionPolicies(form);
    const packed = Math.ceil(
      (deflateRawSync(text + JSON.stringify([...tags])).length * 100) / this.account.behaviour.packedBytes,
    );
    if (packed > 100) {
      throw new AwsError(
        'PackedPolicyTooLarge',
        400,
        `Packed policy consumes ${String(packed)}% of allotted space, please use smaller policy.`,
      );
    }
    const issuedAt = this.account.now();
    return {
      role,
      name,
      issuedAt,
      expiresAt: new Date(issuedAt.getTime() + seconds * 1000),
      ...(policies === undefined ? {} : { policies }),
      ...(sourceIdentity === undefined ? {} : { sourceIdentity }),
      tags,
      transitiveTagKeys: transitive,
      packed,
    };
  }

  private sessionPolicies(form: URLSearchParams): { policies: readonly PolicyDocument[] | undefined; text: string } {
    const inline = form.get('Policy');
    const arns = list(form, 'PolicyArns.member', '.arn');
    const text = (inline ?? '') + arns.join('');
    if (text.length > 2048) throw invalid('policy', 'Member must have length less than or equal to 2048');
    if (arns.length > 10) throw invalid('policyArns');
    if (inline !== null && !POLICY_CHARACTERS.test(inline)) throw invalid('policy');
    const managed = arns.map((arn) => {
      const policy = this.account.managedPolicies.get(arn);
      if (policy === undefined) throw new AwsError('ValidationError', 400, `policy ${arn} does not exist`);
      return policy;
    });
    if (inline === null && arns.length === 0) return { policies: undefined, text };
    return { policies: [...(inline === null ? [] : [readPolicy(inline)]), ...managed], text };
  }

  private give(call: Call, session: Session & { readonly packed: number }): string {
    const { role, name, expiresAt, packed } = session;
    const [accessKeyId, secretAccessKey, token] = [
      keyId('ASIA'),
      randomBytes(30).toString('base64'),
      randomBytes(90).toString('base64'),
    ];
    const userId = `${role.id}:${name}`;
    const arn = `arn:aws:sts::${ACCOUNT}:assumed-role/${role.name}/${name}`;
    this.account.principals.set(accessKeyId, { arn, userId, secretAccessKey, token, policies: [], session });
    return answerXml(call, {
      Credentials: {
        AccessKeyId: accessKeyId,
        SecretAccessKey: secretAccessKey,
        SessionToken: token,
        Expiration: expiresAt.toISOString(),
      },
      AssumedRoleUser: { AssumedRoleId: userId, Arn: arn },
      PackedPolicySize: packed,
      SourceIdentity: session.sourceIdentity,
    });
  }
}

function nameIn(form: URLSearchParams, sourceIdentity: string | undefined): string {
  const name = form.get('RoleSessionName') ?? '';
  if (!NAME.test(name)) throw invalid('roleSessionName');
  if (sourceIdentity !== undefined && !NAME.test(sourceIdentity)) throw invalid('sourceIdentity');
  const externalId = form.get('ExternalId');
  if (externalId !== null && !/^[\w+=,.@:/-]{2,1224}$/.test(externalId)) throw invalid('externalId');
  return name;
}

/** Returns the attributes that a chained session inherits from its caller's session. */
function inheritedBy(session: Session | undefined) {
  const transitive = session?.transitiveTagKeys ?? [];
  const tags = [...(session?.tags ?? [])].filter(([key]) => transitive.includes(key));
  return { tags, transitive, sourceIdentity: session?.sourceIdentity };
}

function durationOf(form: URLSearchParams, role: Role, isChained: boolean): number {
  const text = form.get('DurationSeconds') ?? '3600';
  const seconds = Number(text);
  if (!/^\d+$/.test(text) || seconds < 900)
    throw invalid('durationSeconds', 'Member must have value greater than or equal to 900');
  if (seconds > 43_200) throw invalid('durationSeconds', 'Member must have value less than or equal to 43200');
  const exceeds = 'The requested DurationSeconds exceeds the';
  if (isChained && seconds > 3600) {
    throw new AwsError('ValidationError', 400, `${exceeds} 1 hour session limit for roles assumed by role chaining`);
  }
  if (seconds > role.maxSessionSeconds) {
    throw new AwsError('ValidationError', 400, `${exceeds} MaxSessionDuration set for this role.`);
  }
  return seconds;
}

function requestContext(form: URLSearchParams, tags: ReadonlyMap<string, string>, sourceIdentity: string | undefined) {
  return [
    ['sts:rolesessionname', [form.get('RoleSessionName') ?? '']],
    ...(sourceIdentity === undefined ? [] : [['sts:sourceidentity', [sourceIdentity]]]),
    ...[...tags].map(([key, value]) => [`aws:requesttag/${key.toLowerCase()}`, [value]]),
    ...(tags.size === 0 ? [] : [['aws:tagkeys', [...tags.keys()]]]),
  ] as [string, readonly string[]][];
}

function tagsOf(pairs: readonly (readonly [string, string])[]): Map<string, string> {
  if (pairs.length > 50) throw invalid('tags');
  const keys = new Set(pairs.map(([key]) => key.toLowerCase()));
  if (keys.size !== pairs.length)
    throw new AwsError(
      'InvalidParameterValue',
      400,
      'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
    );
  for (const [key, value] of pairs) {
    if (
      key === '' ||
      key.length > 128 ||
      value.length > 256 ||
      !TAG.test(key) ||
      !TAG.test(value) ||
      /^aws:/i.test(key)
    )
      throw invalid('tags');
  }
  return new Map(pairs);
}

function list(form: URLSearchParams, prefix: string, suffix = ''): string[] {
  const items: string[] = [];
  for (let index = 1; ; index += 1) {
    const item = form.get(`${prefix}.${String(index)}${suffix}`);
    if (item === null) return items;
    items.push(item);
  }
}

function members(form: URLSearchParams, name: string, key: string, value: string): [string, string][] {
  const values = list(form, `${name}.member`, `.${value}`);
  return list(form, `${name}.member`, `.${key}`).map((each, index) => [each, values[index] ?? '']);
}

function refused(who: string, action: string, role: Role): AwsError {
  return new AwsError(
    'AccessDenied',
    403,
    `User: ${who} is not authorized to perform: ${action} on resource: ${role.arn}`,
  );
}

function invalid(member: string, constraint = 'Member must satisfy its pattern and length'): AwsError {
  return new AwsError(
    'ValidationError',
    400,
    `1 validation error detected: Value at '${member}' failed to satisfy constraint: ${constraint}`,
  );
}
