import { describe, expect, it } from '@jest/globals';
import { GroupCommit } from './group-commit.js';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

/** A database that notes its batches and answers each when it is told to. */
function heldCommit() {
  const batches: (readonly string[])[] = [];
  const held: { resolve: (results: readonly string[]) => void; reject: (error: unknown) => void }[] = [];
  const commit = (items: readonly string[]) =>
    new Promise<readonly string[]>((resolve, reject) => {
      batches.push(items);
      held.push({ resolve, reject });
    });
  const answer = async () => {
    held.shift()?.resolve((batches[batches.length - held.length - 1] ?? []).map((item) => `${item} is in`));
    await nextTurn();
    await nextTurn();
  };
  return { batches, held, commit, answer };
}

/** The rule of the stores: SQLSTATE classes 22 and 23. */
const isOfOneItem = (error: unknown) => error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code));

/** SQLSTATE errors as the driver throws them. */
const sqlError = (code: string) => Object.assign(new Error(`SQLSTATE ${code}`), { code });

describe('GroupCommit', () => {
  it('GroupCommit commits what comes in one turn together, and answers each with its own result', async () => {
    const batches: (readonly string[])[] = [];
    const group = new GroupCommit<string, string>(
      async (items) => {
        batches.push(items);
        return items.map((item) => item.toUpperCase());
      },
      { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem },
    );
    expect(await Promise.all(['a', 'b', 'c'].map((item) => group.submit(item)))).toEqual(['A', 'B', 'C']);
    expect(await group.submit('d')).toBe('D');
    expect(batches).toEqual([['a', 'b', 'c'], ['d']]);
  });

  it('GroupCommit gathers what comes while a commit is under way, and commits it at once afterwards', async () => {
    const { batches, commit, answer } = heldCommit();
    const group = new GroupCommit(commit, { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem });
    const first = group.submit('a');
    await nextTurn();
    const others = [group.submit('b'), group.submit('c')];
    await nextTurn();
    expect(batches).toEqual([['a']]);
    await answer();
    expect(await first).toBe('a is in');
    expect(batches).toEqual([['a'], ['b', 'c']]);
    await answer();
    expect(await Promise.all(others)).toEqual(['b is in', 'c is in']);
  });

  it('GroupCommit answers nothing before its commit', async () => {
    const { commit, answer } = heldCommit();
    const group = new GroupCommit(commit, { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem });
    let answered = false;
    const first = group.submit('a').then(() => (answered = true));
    for (let turn = 0; turn < 5; turn += 1) await nextTurn();
    expect(answered).toBe(false);
    await answer();
    expect(await first).toBe(true);
  });

  it('GroupCommit splits what is too much for one statement, and leaves nothing waiting', async () => {
    const sizes: number[] = [];
    const group = new GroupCommit<number, number>(
      async (items) => {
        sizes.push(items.length);
        return items;
      },
      { maxItems: 3, maxRunning: 1, maxWaiting: 4096, isOfOneItem },
    );
    const numbers = Array.from({ length: 8 }, (_, index) => index);
    expect(await Promise.all(numbers.map((item) => group.submit(item)))).toEqual(numbers);
    expect(sizes).toEqual([3, 3, 2]);
  });

  it.each(['22021', '23505', '23514'])('GroupCommit lets one bad item fail alone (SQLSTATE %s)', async (code) => {
    const tries: (readonly string[])[] = [];
    const group = new GroupCommit<string, string>(
      async (items) => {
        tries.push(items);
        if (items.includes('bad')) throw sqlError(code);
        return items;
      },
      { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem },
    );
    const results = await Promise.allSettled(['a', 'bad', 'c'].map((item) => group.submit(item)));
    expect(results).toMatchObject([{ value: 'a' }, { reason: { code } }, { value: 'c' }]);
    expect(tries).toEqual([['a', 'bad', 'c'], ['a'], ['bad'], ['c']]);
    expect(await group.submit('d')).toBe('d');
  });

  it.each([
    ['the connection broke', new Error('Connection terminated unexpectedly')],
    ['the server shut down', sqlError('57P01')],
    ['the statement took too long', sqlError('57014')],
    ['a deadlock was found', sqlError('40P01')],
    ['what was thrown has no code', new TypeError('broken')],
  ])('GroupCommit fails for all, without a second try, when %s', async (_, error) => {
    let tries = 0;
    const group = new GroupCommit<string, string>(
      () => {
        tries += 1;
        return Promise.reject(error);
      },
      { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem },
    );
    const results = await Promise.allSettled(['a', 'b'].map((item) => group.submit(item)));
    expect(results).toEqual([
      { status: 'rejected', reason: error },
      { status: 'rejected', reason: error },
    ]);
    expect(tries).toBe(1);
  });

  it('GroupCommit continues after a failure with what has come meanwhile', async () => {
    const { batches, held, commit, answer } = heldCommit();
    const group = new GroupCommit(commit, { maxItems: 256, maxRunning: 1, maxWaiting: 4096, isOfOneItem });
    const first = group.submit('a').catch((error: unknown) => error);
    await nextTurn();
    const second = group.submit('b');
    held.shift()?.reject(new Error('broken'));
    expect(await first).toMatchObject({ message: 'broken' });
    await nextTurn();
    expect(batches).toEqual([['a'], ['b']]);
    await answer();
    expect(await second).toBe('b is in');
  });
});
