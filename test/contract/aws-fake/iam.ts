import { ACCOUNT, keyId, type Account, type Principal, type Role } from './account.js';
import { answerXml, AwsError, type Call } from './answers.js';
import { readPolicy } from './policy.js';

/** IAM's limit for all inline policies of one role, in characters without white space. */
const INLINE_CHARACTERS = 10_240;

/** The part of IAM that roles and their inline policies need. */
export class Iam {
  constructor(private readonly account: Account) {}

  answer(call: Call, caller: Principal): string {
    const { action, form } = call;
    if (action === 'CreateOpenIDConnectProvider') return this.createProvider(call, caller);
    const name = form.get('RoleName') ?? '';
    this.account.authorize(caller, `iam:${action}`, `arn:aws:iam::${ACCOUNT}:role/${name}`);
    switch (action) {
      case 'CreateRole':
        return this.createRole(call, name);
      case 'GetRole':
        return answerXml(call, { Role: roleXml(this.account.role(name)) });
      case 'DeleteRole':
        return this.deleteRole(call, name);
      case 'PutRolePolicy':
        return this.putPolicy(call, this.account.role(name));
      case 'GetRolePolicy':
        return this.getPolicy(call, this.account.role(name));
      case 'DeleteRolePolicy':
        return this.deletePolicy(call, this.account.role(name));
      default:
        throw new AwsError('InvalidAction', 400, `Could not find operation ${action}`);
    }
  }

  private createRole(call: Call, name: string): string {
    const { form } = call;
    if (this.account.roles.has(name))
      throw new AwsError('EntityAlreadyExists', 409, `Role with name ${name} already exists.`);
    const trustText = form.get('AssumeRolePolicyDocument') ?? '';
    const role: Role = {
      name,
      arn: `arn:aws:iam::${ACCOUNT}:role/${name}`,
      id: keyId('AROA'),
      trust: readPolicy(trustText, 'trust'),
      trustText,
      maxSessionSeconds: Number(form.get('MaxSessionDuration') ?? '3600'),
      policies: new Map(),
      history: [],
    };
    if (role.maxSessionSeconds < 3600 || role.maxSessionSeconds > 43_200)
      throw new AwsError('ValidationError', 400, 'maxSessionDuration');
    this.account.roles.set(name, role);
    return answerXml(call, { Role: roleXml(role) });
  }

  private deleteRole(call: Call, name: string): string {
    if (this.account.role(name).policies.size > 0) {
      throw new AwsError('DeleteConflict', 409, 'Cannot delete entity, must delete policies first.');
    }
    this.account.roles.delete(name);
    return answerXml(call, undefined);
  }

  private putPolicy(call: Call, role: Role): string {
    const name = nameOf(call);
    const document = call.form.get('PolicyDocument') ?? '';
    readPolicy(document);
    const policies = new Map(role.policies).set(name, document);
    const size = [...policies.values()].reduce((sum, text) => sum + text.replaceAll(/\s/g, '').length, 0);
    if (size > INLINE_CHARACTERS) {
      throw new AwsError(
        'LimitExceeded',
        409,
        `Maximum policy size of ${String(INLINE_CHARACTERS)} bytes exceeded for role ${role.name}`,
      );
    }
    role.policies.set(name, document);
    this.account.changed(
      role,
      [...role.policies.values()].map((text) => readPolicy(text)),
    );
    return answerXml(call, undefined);
  }

  private getPolicy(call: Call, role: Role): string {
    const document = this.policy(role, nameOf(call));
    return answerXml(call, {
      RoleName: role.name,
      PolicyName: nameOf(call),
      PolicyDocument: encodeURIComponent(document),
    });
  }

  private deletePolicy(call: Call, role: Role): string {
    this.policy(role, nameOf(call));
    role.policies.delete(nameOf(call));
    this.account.changed(
      role,
      [...role.policies.values()].map((text) => readPolicy(text)),
    );
    return answerXml(call, undefined);
  }

  private policy(role: Role, name: string): string {
    const document = role.policies.get(name);
    if (document !== undefined) return document;
    throw new AwsError('NoSuchEntity', 404, `The role policy with name ${name} cannot be found.`);
  }

  private createProvider(call: Call, caller: Principal): string {
    const url = call.form.get('Url') ?? '';
    const host = url.replace(/^https?:\/\//, '');
    const arn = `arn:aws:iam::${ACCOUNT}:oidc-provider/${host}`;
    this.account.authorize(caller, 'iam:CreateOpenIDConnectProvider', arn);
    const clientIds = [...call.form]
      .filter(([key]) => key.startsWith('ClientIDList.member.'))
      .map(([, value]) => value);
    this.account.oidcProviders.set(host, { url, clientIds });
    return answerXml(call, { OpenIDConnectProviderArn: arn });
  }
}

function nameOf({ form }: Call): string {
  const name = form.get('PolicyName') ?? '';
  if (!/^[\w+=,.@-]{1,128}$/.test(name)) throw new AwsError('ValidationError', 400, 'policyName');
  return name;
}

function roleXml(role: Role) {
  return {
    Path: '/',
    RoleName: role.name,
    RoleId: role.id,
    Arn: role.arn,
    CreateDate: new Date(0).toISOString(),
    AssumeRolePolicyDocument: encodeURIComponent(role.trustText),
    MaxSessionDuration: role.maxSessionSeconds,
  };
}
