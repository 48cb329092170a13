import {
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import type { Accesses, AwsAnswer, CallBounds } from './accesses.js';
import { roleOf, type RoleArn } from './arn.js';
import type { AwsConfig } from './config.schema.js';

/** Mayfly's own inline policy at one role. */
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

  /** Returns the text of the policy; undefined when there is none. */
  async read(bounds: CallBounds): Promise<AwsAnswer<string | undefined>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new GetRolePolicyCommand(this.name), options),
    );
    if ('value' in answer) return { value: answer.value.PolicyDocument };
    return answer.failure.reason === 'not-found' ? { value: undefined } : answer;
  }

  async write(document: string, bounds: CallBounds): Promise<AwsAnswer<true>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new PutRolePolicyCommand({ ...this.name, PolicyDocument: document }), options),
    );
    return 'value' in answer ? { value: true } : answer;
  }

  /** Removes the policy. Succeeds when there is none. */
  async remove(bounds: CallBounds): Promise<AwsAnswer<true>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new DeleteRolePolicyCommand(this.name), options),
    );
    if ('value' in answer || answer.failure.reason === 'not-found') return { value: true };
    return answer;
  }

  /**
   * Checks that the role's name leads to the intended role: IAM looks it up in the account of the login. When that
   * account is unknown, compares the ARN of the role with this name.
   */
  async locate(bounds: CallBounds): Promise<AwsAnswer<true>> {
    const login = await this.account(bounds);
    if (login !== undefined) return login === this.arn.account ? { value: true } : elsewhere(login, this.arn);
    const answer = await this.find(bounds);
    if ('failure' in answer) return answer;
    return answer.value === this.roleArn ? { value: true } : elsewhere(roleOf(answer.value).account, this.arn);
  }

  /**
   * Returns true when the role is gone, and with it all its sessions (they are bound to the role's id, not to its
   * name). `not-found` proves this only when the login is known to be in the role's account.
   */
  async isRoleGone(bounds: CallBounds): Promise<boolean> {
    if ((await this.account(bounds)) !== this.arn.account) return false;
    const answer = await this.find(bounds);
    return 'failure' in answer && answer.failure.reason === 'not-found';
  }

  /** Returns the account of the login; undefined when it is unknown. */
  private async account(bounds: CallBounds): Promise<string | undefined> {
    const answer = await this.accesses.call(this.config, bounds, (access, options) => access.account(options));
    return 'value' in answer ? answer.value : undefined;
  }

  /** Returns the ARN of the role with this name. */
  private async find(bounds: CallBounds): Promise<AwsAnswer<string>> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new GetRoleCommand({ RoleName: this.name.RoleName }), options),
    );
    return 'value' in answer ? { value: answer.value.Role?.Arn ?? '' } : answer;
  }
}

function elsewhere(login: string, { account }: RoleArn): AwsAnswer<true> {
  const accounts = { login: login === '' ? 'unknown' : login, role: account === '' ? 'unknown' : account };
  return { failure: { reason: 'other-account', code: 'OtherAccount', certain: true, accounts } };
}
