import { examining, type Targets, withDeadline } from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import { finding, type Finding, type SampleScope, sampleScopes, type TaskTemplateSpec } from '@mayfly/templates';

const ASKING_SECONDS = 8;

/** Asks the targets of a template about its scopes, for linting and publication. Returns warnings only. */
export class TargetExamination {
  constructor(private readonly targets: Pick<Targets, 'resolve'>) {}

  /**
   * Never rejects: a target that cannot be asked becomes a warning too. Does not ask `unsettled` connections, because
   * the same run of documents is about to change them.
   */
  async about(spec: TaskTemplateSpec, unsettled: ReadonlySet<string> = new Set()): Promise<readonly Finding[]> {
    const found = await Promise.all(
      sampleScopes(spec).map(async (sample) =>
        unsettled.has(sample.credential.connection ?? '') ? [notAsked(sample)] : await this.ask(sample),
      ),
    );
    return found.flat();
  }

  private async ask({ credential, scope, pointer }: SampleScope): Promise<Finding[]> {
    if (credential.connection === undefined) return [];
    try {
      const { provider, config } = await this.targets.resolve(credential.provider, credential.connection, scope);
      const parsed = provider.schemas.scope.safeParse(scope);
      const examiner = examining(provider);
      if (examiner === undefined || !parsed.success) return [];
      const remarks = await withDeadline(ASKING_SECONDS, (signal) => examiner.examine(config, parsed.data, signal));
      return remarks.map((remark) => finding('MF310', pointer, remark));
    } catch (error) {
      const reason = error instanceof Problem ? error.detail : 'the examination failed in an unexpected way';
      return [finding('MF310', pointer, `connection \`${credential.connection}\` could not be examined: ${reason}`)];
    }
  }
}

function notAsked({ credential, pointer }: SampleScope): Finding {
  const connection = `connection \`${credential.connection ?? ''}\``;
  return finding('MF310', pointer, `${connection} is new or changed here; Mayfly examines its target at publication`);
}
