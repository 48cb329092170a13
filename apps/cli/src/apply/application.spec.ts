import { describe, expect, it } from '@jest/globals';
import { BrokerUnreachable } from '@mayfly/client';
import type { Declaration } from '@mayfly/declarations';
import { CommandFailure } from '../command-failure.js';
import { EXIT } from '../exit-codes.js';
import { applySteps, outcomeWords } from './application.js';
import type { Step } from './steps.js';

const step = (name: string, change: Step['change'], more: Partial<Step> = {}): Step => ({
  file: 'x.yaml',
  declared: { kind: 'TaskTemplate', metadata: { name }, spec: {} } as unknown as Declaration,
  change,
  differences: [],
  etag: '"1"',
  ...more,
});
const PUBLISH = { publication: { differences: [] } };
const fourEyes = new CommandFailure(EXIT.refused, 'not the author', 'ask another member');

/** A broker that counts revisions and fails as it is told. */
function broker(faults: Readonly<Record<string, Error>> = {}) {
  const asked: string[] = [];
  const act = (what: string) => {
    asked.push(what);
    const fault = faults[what.split(' ').slice(0, 2).join(' ')];
    if (fault !== undefined) throw fault;
    return '"2"';
  };
  return {
    asked,
    create: async ({ metadata }: Declaration) => act(`create ${metadata.name}`),
    replace: async ({ metadata }: Declaration, etag: string) => act(`replace ${metadata.name} ${etag}`),
    publish: async (name: string, etag: string) => act(`publish ${name} ${etag}`),
  };
}

async function apply(client: ReturnType<typeof broker>, steps: readonly Step[]) {
  const told: (string | undefined)[] = [];
  const applied = await applySteps(client, steps, (one) => told.push(outcomeWords(one)));
  return { outcomes: applied.map(({ outcome }) => outcome), told: told.filter((words) => words !== undefined) };
}

describe('applying', () => {
  it('creates what is new, replaces only what was read, and publishes what was saved', async () => {
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

  it('stops at a refusal: what follows may name what is not there', async () => {
    const client = broker({ 'replace b': new CommandFailure(EXIT.refused, 'it changed meanwhile') });
    const { outcomes, told } = await apply(client, [step('a', 'create'), step('b', 'update'), step('c', 'create')]);
    expect(outcomes).toEqual(['applied', 'failed', 'not attempted']);
    expect(told).toEqual([
      'applied  TaskTemplate/a',
      'failed  TaskTemplate/b  (x.yaml): it changed meanwhile',
      'not attempted  TaskTemplate/c',
    ]);
  });

  it('names a refused document once, though what the broker says of it starts with its name', async () => {
    const said = 'TaskTemplate/b: spec.owner: name one\n  TaskTemplate/b: spec.purpose: give one';
    const client = broker({ 'replace b': new CommandFailure(EXIT.refused, said) });
    const { told } = await apply(client, [step('b', 'update')]);
    expect(told).toEqual(['failed  TaskTemplate/b  (x.yaml): spec.owner: name one\n  spec.purpose: give one']);
  });

  it('says that it does not know where the connection broke', async () => {
    const client = broker({ 'create a': new BrokerUnreachable('http://x', 'ECONNRESET') });
    expect((await apply(client, [step('a', 'create'), step('b', 'create')])).outcomes).toEqual([
      'unknown',
      'not attempted',
    ]);
  });

  it('goes on where a draft is saved and somebody else has to publish it, and says who', async () => {
    const client = broker({ 'publish a': fourEyes });
    const { outcomes, told } = await apply(client, [step('a', 'create', PUBLISH), step('b', 'create')]);
    expect(outcomes).toEqual(['applied', 'applied']);
    expect(told[0]).toBe('not published  TaskTemplate/a  (x.yaml): not the author\n  ask another member');
  });
});
