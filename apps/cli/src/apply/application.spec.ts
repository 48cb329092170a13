import { describe, expect, it } from '@jest/globals';
import { BrokerUnreachable } from '@mayfly/client';
import type { Declaration } from '@mayfly/declarations';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';
import { applySteps, outcomeWords } from './application.js';
import type { ApplyStep } from './steps.js';

const step = (name: string, change: ApplyStep['change'], more: Partial<ApplyStep> = {}): ApplyStep => ({
  file: 'x.yaml',
  declared: { kind: 'TaskTemplate', metadata: { name }, spec: {} } as unknown as Declaration,
  change,
  differences: [],
  etag: '"1"',
  ...more,
});
const PUBLISH = { publication: { differences: [] } };
const fourEyes = new CommandFailure(EXIT.refused, 'not the author', 'ask another member');

/** A fake broker: it counts revisions, and fails with the errors in `faults`. */
function broker(faults: Readonly<Record<string, Error>> = {}, waiting: readonly string[] = []) {
  const asked: string[] = [];
  const sent = (name: string, etag: string) => (waiting.includes(name) ? { changeId: `chg_${name}` } : { etag });
  const act = (what: string) => {
    asked.push(what);
    const fault = faults[what.split(' ').slice(0, 2).join(' ')];
    if (fault !== undefined) throw fault;
    return '"2"';
  };
  return {
    asked,
    create: async ({ metadata }: Declaration) => sent(metadata.name, act(`create ${metadata.name}`)),
    replace: async ({ metadata }: Declaration, etag: string) =>
      sent(metadata.name, act(`replace ${metadata.name} ${etag}`)),
    publish: async (name: string, etag: string) => act(`publish ${name} ${etag}`),
  };
}

async function apply(client: ReturnType<typeof broker>, steps: readonly ApplyStep[]) {
  const told: (string | undefined)[] = [];
  const applied = await applySteps(client, steps, (one) => told.push(outcomeWords(one)));
  return { outcomes: applied.map(({ outcome }) => outcome), told: told.filter((words) => words !== undefined) };
}

describe('applying', () => {
  it('mayfly apply creates new documents, replaces only the version that it read, and publishes only the draft that it saved', async () => {
    const client = broker();
    const steps = [
      step('a', 'create', PUBLISH),
      step('b', 'update'),
      step('c', 'unchanged'),
      step('d', 'unchanged', PUBLISH),
    ];
    expect((await apply(client, steps)).outcomes).toEqual(['published', 'applied', 'unchanged', 'published']);
    expect(client.asked).toEqual(['create a', 'publish a "2"', 'replace b "1"', 'publish d "1"']);
  });

  it('mayfly apply goes on after a document that waits for a second person, names its change, and publishes nothing of it', async () => {
    const client = broker({}, ['a']);
    const { outcomes, told } = await apply(client, [step('a', 'create', PUBLISH), step('b', 'update')]);
    expect(outcomes).toEqual(['waiting', 'applied']);
    expect(client.asked).toEqual(['create a', 'replace b "1"']);
    expect(told[0]).toBe(
      'waiting  TaskTemplate/a: change chg_a waits for a second person: mayfly changes approve chg_a',
    );
  });

  it('mayfly apply stops at a refusal, because later documents may name the refused one', async () => {
    const client = broker({ 'replace b': new CommandFailure(EXIT.refused, 'it changed meanwhile') });
    const { outcomes, told } = await apply(client, [step('a', 'create'), step('b', 'update'), step('c', 'create')]);
    expect(outcomes).toEqual(['applied', 'failed', 'not attempted']);
    expect(told).toEqual([
      'applied  TaskTemplate/a',
      'failed  TaskTemplate/b  (x.yaml): it changed meanwhile',
      'not attempted  TaskTemplate/c',
    ]);
  });

  it('mayfly apply names a refused document once, though what the broker says of it starts with its name', async () => {
    const said = 'TaskTemplate/b: spec.owner: name one\n  TaskTemplate/b: spec.purpose: give one';
    const client = broker({ 'replace b': new CommandFailure(EXIT.refused, said) });
    const { told } = await apply(client, [step('b', 'update')]);
    expect(told).toEqual(['failed  TaskTemplate/b  (x.yaml): spec.owner: name one\n  spec.purpose: give one']);
  });

  it('mayfly apply reports an unknown outcome when the connection breaks', async () => {
    const client = broker({ 'create a': new BrokerUnreachable('http://x', 'ECONNRESET') });
    expect((await apply(client, [step('a', 'create'), step('b', 'create')])).outcomes).toEqual([
      'unknown',
      'not attempted',
    ]);
  });

  it('mayfly apply continues after a draft that another person has to publish, and names that need', async () => {
    const client = broker({ 'publish a': fourEyes });
    const { outcomes, told } = await apply(client, [step('a', 'create', PUBLISH), step('b', 'create')]);
    expect(outcomes).toEqual(['applied', 'applied']);
    expect(told[0]).toBe('not published  TaskTemplate/a  (x.yaml): not the author\n  ask another member');
  });
});
