import {
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import type { Accesses, Answer, CallBounds } from './accesses.js';
import { roleOf, type RoleArn } from './arn.js';
import type { AwsConfig } from './config.schema.js';

/** The one inline policy of a role that is Mayfly's. */
export class RolePolicy {
  private readonly arn: RoleArn;
  private readonly name: { readonly RoleName: string; readonly PolicyName: string };

  constructor(
    private readonly accesses: Accesses,
    private readonly config: AwsConfig,
    private readonly roleArn: string,
    policyName: string,
  ) {
    this.arn = roleOf(roleArn);
    this.name = { RoleName: this.arn.name, PolicyName: policyName };
  }

  /** What stands there; undefined for nothing. */
  async read(bounds: CallBounds): Promise<Answer<string | undefined>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new GetRolePolicyCommand(this.name), options),
    );
    if ('value' in answer) return { value: answer.value.PolicyDocument };
    return answer.failure.reason === 'not-found' ? { value: undefined } : answer;
  }

  async write(document: string, bounds: CallBounds): Promise<Answer<true>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new PutRolePolicyCommand({ ...this.name, PolicyDocument: document }), options),
    );
    return 'value' in answer ? { value: true } : answer;
  }

  /** It is fine when nothing was there. */
  async remove(bounds: CallBounds): Promise<Answer<true>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new DeleteRolePolicyCommand(this.name), options),
    );
    if ('value' in answer || answer.failure.reason === 'not-found') return { value: true };
    return answer;
  }

  /**
   * Whether the role's name leads to the role that is meant: IAM looks for it in the account of the login. Where that account is
   * not said, the role that stands under the name is compared.
   */
  async locate(bounds: CallBounds): Promise<Answer<true>> {
    const login = await this.account(bounds);
    if (login !== undefined) return login === this.arn.account ? { value: true } : elsewhere(login, this.arn);
    const answer = await this.find(bounds);
    if ('failure' in answer) return answer;
    return answer.value === this.roleArn ? { value: true } : elsewhere(roleOf(answer.value).account, this.arn);
  }

  /**
   * Whether the role is gone, and with it every session of it (they are bound to its id, not to its name). That it is not found
   * proves it only where the login is known to be in the role's account.
   */
  async isRoleGone(bounds: CallBounds): Promise<boolean> {
    if ((await this.account(bounds)) !== this.arn.account) return false;
    const answer = await this.find(bounds);
    return 'failure' in answer && answer.failure.reason === 'not-found';
  }

  /** The account of the login; undefined where it is not answered. */
  private async account(bounds: CallBounds): Promise<string | undefined> {
    const answer = await this.accesses.call(this.config, bounds, (access, options) => access.account(options));
    return 'value' in answer ? answer.value : undefined;
  }

  /** The ARN of the role that stands under the name. */
  private async find(bounds: CallBounds): Promise<Answer<string>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new GetRoleCommand({ RoleName: this.name.RoleName }), options),
    );
    return 'value' in answer ? { value: answer.value.Role?.Arn ?? '' } : answer;
  }
}

function elsewhere(login: string, { account }: RoleArn): Answer<true> {
  const accounts = { login: login === '' ? 'unknown' : login, role: account === '' ? 'unknown' : account };
  return { failure: { reason: 'other-account', code: 'OtherAccount', certain: true, accounts } };
}
