import { jest } from '@jest/globals';

/** Takes the place of `AbortSignal.timeout` until `jest.restoreAllMocks`: deadlines strike when the test says so. */
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
