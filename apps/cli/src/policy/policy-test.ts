import { readFile } from 'node:fs/promises';
import { parsePolicyCases, PolicyTests, type TestedCase } from '@mayfly/declarations';
import { Problem } from '@mayfly/kernel';
import { filesAt, readDeclared } from '../apply/declared-file.js';
import { usageFailure } from '../command-failure.js';
import type { GlobalOptions } from '../config.js';
import { EXIT } from '../exit-codes.js';
import { Notices } from '../output/notices.js';
import { Output } from '../output/output.js';

export interface PolicyTestOptions extends GlobalOptions {
  readonly filename: readonly string[];
  readonly cases: readonly string[];
}

/** The result of one case, with its file. */
type CaseInFile = TestedCase & { readonly file: string };

/** Decides the cases of files. Returns the exit code. Throws a `CommandFailure` for files that are wrong. */
export async function testPolicies(options: PolicyTestOptions): Promise<number> {
  const documents = await readDeclared(options.filename);
  const tests = asUsage(() => new PolicyTests(documents.map(({ declared }) => declared)));
  const tested: CaseInFile[] = [];
  for (const file of (await Promise.all(options.cases.map(filesAt))).flat())
    tested.push(...(await testFile(tests, file)));
  if (tested.length === 0) throw usageFailure('there are no cases', 'name a YAML file of the kind `PolicyCases`');
  return tell(options, tested);
}

async function testFile(tests: PolicyTests, file: string): Promise<readonly CaseInFile[]> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw usageFailure(`\`${file}\` cannot be read`);
  });
  const documents = asUsage(() => parsePolicyCases(file, text));
  return documents.flatMap((document) => tests.run(document)).map((one) => ({ ...one, file }));
}

function tell(options: PolicyTestOptions, tested: readonly CaseInFile[]): number {
  const output = new Output(process.stdout, options.json === true);
  const notices = new Notices(process.stderr);
  const failed = tested.filter(({ passed }) => !passed);
  if (!output.isForPeople) output.show({ passed: failed.length === 0, cases: tested.map(asJson) }, () => '');
  for (const { file, name, differences } of failed) notices.warn(`${file}: ${name}: ${differences.join('; ')}`);
  const total = `${String(tested.length)} cases, ${String(failed.length)} with another verdict`;
  if (failed.length > 0) notices.warn(total);
  else output.say(total);
  return failed.length === 0 ? EXIT.ok : EXIT.no;
}

function asJson({ file, name, passed, differences, verdict }: CaseInFile) {
  const { outcome, reason, policies, obligations } = verdict;
  return { file, name, passed, differences, verdict: { outcome, reason, policies, obligations } };
}

/** Runs `read`, and throws its problem as a usage failure that lists all faults. */
function asUsage<Result>(read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const faults = (error.extensions.errors ?? [error]).map(({ detail }) => detail);
    throw usageFailure(['the files cannot be tested as they are', ...faults].join('\n  '));
  }
}
