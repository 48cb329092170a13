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
      sampleScopes(spec).map(async (sample) => {
        const { connection } = sample.credential;
        if (connection === undefined) return [];
        return unsettled.has(connection) ? [notAsked(connection, sample)] : await this.ask(connection, sample);
      }),
    );
    return found.flat();
  }

  private async ask(connection: string, { credential, scope, pointer }: SampleScope): Promise<Finding[]> {
    try {
      const { provider, config } = await this.targets.resolve(credential.provider, connection, scope);
      const parsed = provider.schemas.scope.safeParse(scope);
      const examiner = examining(provider);
      if (examiner === undefined || !parsed.success) return [];
      const remarks = await withDeadline(ASKING_SECONDS, (signal) => examiner.examine(config, parsed.data, signal));
      return remarks.map((remark) => finding('MF310', pointer, remark));
    } catch (error) {
      const reason = error instanceof Problem ? error.detail : 'the examination failed in an unexpected way';
      return [finding('MF310', pointer, `connection \`${connection}\` could not be examined: ${reason}`)];
    }
  }
}

function notAsked(connection: string, { pointer }: SampleScope): Finding {
  const detail = `connection \`${connection}\` is new or changed here; Mayfly examines its target at publication`;
  return finding('MF310', pointer, detail);
}
