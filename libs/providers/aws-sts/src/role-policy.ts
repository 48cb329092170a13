import {
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam';
import type { Accesses, Answer, CallBounds } from './accesses.js';
import { roleOf } from './arn.js';
import type { AwsConfig } from './config.schema.js';
import type { AwsFailure } from './failures.js';

/** The one inline policy of a role that is Mayfly's. */
export class RolePolicy {
  private readonly name: { readonly RoleName: string; readonly PolicyName: string };

  constructor(
    private readonly accesses: Accesses,
    private readonly config: AwsConfig,
    roleArn: string,
    policyName: string,
  ) {
    this.name = { RoleName: roleOf(roleArn).name, PolicyName: policyName };
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
   * Whether the role is gone, and with it every session of it (they are bound to its id, not to its name), after an answer that something is not there. Where Mayfly may not look (`iam:GetRole`), the answer
   * to a write stands as it is: nothing but the role can be missing then.
   */
  async isRoleGone(bounds: CallBounds, wasWrite: boolean): Promise<boolean> {
    const answer = await this.accesses.call(this.config, bounds, ({ iam }, options) =>
      iam.send(new GetRoleCommand({ RoleName: this.name.RoleName }), options),
    );
    if ('value' in answer) return false;
    return saysGone(answer.failure, wasWrite);
  }
}

function saysGone({ reason }: AwsFailure, wasWrite: boolean): boolean {
  return reason === 'not-found' || (wasWrite && reason === 'access-denied');
}
