import { CommandFailure, usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { openContext, type CommandContext } from '../command-context.js';
import { applySteps, outcomeWords, type Applied } from './application.js';
import { checkAsJson, checkWords, refusedWords } from './check-words.js';
import { DeclarationsClient, type Checked, type Found } from './declarations.client.js';
import { readDeclared, titleOf, type DeclaredInFile } from './declared-file.js';
import { isEffective, stepsOf, type ApplyStep } from './steps.js';
import { stepWords } from './step-words.js';

export interface ApplyOptions extends GlobalOptions {
  readonly filename: readonly string[];
  readonly dryRun: boolean;
  readonly publish: boolean;
  readonly exitCode: boolean;
}

/** Changes the declared state to match files. Returns the exit code. Throws a `CommandFailure`. */
export async function apply(options: ApplyOptions): Promise<number> {
  if (options.exitCode && !options.dryRun) throw usageFailure('--exit-code needs --dry-run; add it');
  const documents = await readDeclared(options.filename);
  const context = openContext(options);
  const client = new DeclarationsClient(context.broker);
  const steps = stepsOf(documents, await findAll(client, documents), options.publish);
  context.output.say(stepWords(steps));
  if (options.dryRun) return rehearse(context, client, steps, options);
  const applied = await applySteps(client, steps, (one) => tell(context, one));
  if (!context.output.isForPeople) context.output.show({ dryRun: false, documents: applied.map(asJson) }, () => '');
  return endApply(context, applied);
}

async function findAll(client: DeclarationsClient, documents: readonly DeclaredInFile[]): Promise<Map<string, Found>> {
  const found = new Map<string, Found>();
  for (const { declared } of documents) {
    const there = await client.find(declared.kind, declared.metadata.name);
    if (there !== undefined) found.set(titleOf(declared), there);
  }
  return found;
}

/** The dry run: the broker checks all changed documents together. Throws `CommandFailure` when it refuses one. */
async function rehearse(
  { output, notices }: CommandContext,
  client: DeclarationsClient,
  steps: readonly ApplyStep[],
  { publish, exitCode }: ApplyOptions,
): Promise<number> {
  const sent = steps.filter(isEffective).map(({ declared }) => declared);
  const checked = sent.length === 0 ? new Map<string, Checked>() : await client.check(sent, publish);
  const documents = steps.map((step) => ({
    ...asJson({ step, outcome: 'not attempted' }),
    ...checkAsJson(checked.get(titleOf(step.declared))),
  }));
  if (!output.isForPeople) output.show({ dryRun: true, documents }, () => '');
  for (const line of checkWords(steps, checked)) notices.warnOnce(line);
  const refused = [...checked.values()].flatMap(({ refusal, publication }) => [refusal ?? publication ?? []].flat());
  const words = refusedWords([...checked.values()], sent.length);
  if (words === undefined) return exitCode && sent.length > 0 ? EXIT.no : EXIT.ok;
  const status = Math.max(...refused.map((problem) => problem.exitCode));
  throw new CommandFailure(status, words);
}

function tell({ output, notices }: CommandContext, applied: Applied): void {
  const words = outcomeWords(applied);
  if (words === undefined) return;
  if (applied.failure === undefined) output.say(words);
  else notices.warn(words);
}

/** Prints the totals. After a failure, the same command continues from there. */
function endApply({ output }: CommandContext, applied: readonly Applied[]): number {
  const count = (wanted: (one: Applied) => boolean): string => String(applied.filter(wanted).length);
  const failed = applied.filter(({ failure }) => failure !== undefined);
  const done = `${count(({ outcome }) => outcome === 'applied' || outcome === 'published')} changed, ${count(({ outcome }) => outcome === 'unchanged')} unchanged`;
  const waiting = applied.some(({ outcome }) => outcome === 'waiting');
  const told = waiting ? `${done}, ${count(({ outcome }) => outcome === 'waiting')} waiting for a second person` : done;
  if (failed.length === 0) {
    output.say(told);
    return waiting ? EXIT.waiting : EXIT.ok;
  }
  const left = `${told}, ${String(failed.length)} refused or of unknown outcome, ${count(({ outcome }) => outcome === 'not attempted')} not attempted`;
  const status = Math.max(...failed.map(({ failure }) => failure?.exitCode ?? EXIT.no));
  throw new CommandFailure(status, left, 'run the same command again; it skips the documents that are applied');
}

function asJson({ step, outcome, failure, changeId }: Applied) {
  const { declared, file, change, differences, publication } = step;
  const told = failure === undefined ? {} : { problem: { detail: failure.message, help: failure.help } };
  const { kind, metadata } = declared;
  return { kind, name: metadata.name, file, change, differences, publication, outcome, changeId, ...told };
}
