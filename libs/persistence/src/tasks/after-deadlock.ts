const DEADLOCK = '40P01';

/**
 * Repeats a transaction that the server chose to end a deadlock: two endings in one tree can lock a task and what is
 * below it in different orders.
 */
export async function afterDeadlock<T>(work: () => Promise<T>, tries = 3): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (tries === 1 || (error as { code?: string }).code !== DEADLOCK) throw error;
    return afterDeadlock(work, tries - 1);
  }
}
