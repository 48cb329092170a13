import { jest } from '@jest/globals';

/** Replaces `AbortSignal.timeout` until `jest.restoreAllMocks`: deadlines expire when the test calls `strike`. */
export function holdDeadlines(): { readonly seconds: readonly number[]; strike(): void } {
  const controllers: AbortController[] = [];
  const seconds: number[] = [];
  jest.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => {
    const controller = new AbortController();
    controllers.push(controller);
    seconds.push(milliseconds / 1000);
    return controller.signal;
  });
  return {
    seconds,
    strike: () => {
      for (const controller of controllers.splice(0)) controller.abort();
    },
  };
}
