import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { Problem } from '@mayfly/kernel';
import { ConnectionGates } from './connection-gates.js';

const outage = () => Promise.reject(new Problem('provider_unavailable', 'the target did not answer'));
const refusal = () => Promise.reject(new Problem('provider_rejected', 'there is no such role'));
const answer = () => Promise.resolve('minted');

function gatesWith(maxConcurrentCalls?: number): ConnectionGates {
  const limits = maxConcurrentCalls === undefined ? {} : { maxConcurrentCalls };
  return new ConnectionGates(
    { find: (name) => ({ name, spec: { provider: 'dummy', owner: 'me', config: {}, ...limits } }) },
    { requireWorking: () => undefined },
    { note: () => undefined, requireAgreement: () => undefined },
  );
}

async function outages(gates: ConnectionGates, count: number, connection = 'dead'): Promise<void> {
  for (let call = 0; call < count; call++) await expect(gates.run(connection, 10, outage)).rejects.toThrow('answer');
}

describe('the gate of a connection', () => {
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('the gate of a connection pauses after five outages in a row: calls are not made, requests are refused, others pass', async () => {
    const gates = gatesWith();
    await outages(gates, 4);
    gates.requireOpen('dead');
    await outages(gates, 1);
    const call = jest.fn(answer);
    await expect(gates.run('dead', 10, call)).rejects.toMatchObject({
      code: 'provider_rejected',
      extensions: { reason: 'paused' },
    });
    expect(call).not.toHaveBeenCalled();
    expect(() => {
      gates.requireOpen('dead');
    }).toThrow('is paused');
    expect(gates.pausedConnections()).toEqual(new Map([['dead', 1]]));
    gates.requireOpen('healthy');
    expect(await gates.run('healthy', 10, answer)).toBe('minted');
    expect(await gates.run(undefined, 10, answer)).toBe('minted');
  });

  it('the gate of a connection takes a refusal by the target for an answer', async () => {
    const gates = gatesWith();
    for (let call = 0; call < 20; call++) await expect(gates.run('crm', 10, refusal)).rejects.toThrow('no such role');
    gates.requireOpen('crm');
  });

  it('the gate of a connection lets one call through after the pause, and opens again when it works', async () => {
    jest.useFakeTimers();
    const gates = gatesWith();
    await outages(gates, 5);
    jest.advanceTimersByTime(5_001);
    gates.requireOpen('dead');
    expect(await gates.run('dead', 10, answer)).toBe('minted');
    await outages(gates, 4);
    gates.requireOpen('dead');
  });

  it('the gate of a connection pauses again at once when the call after the pause fails', async () => {
    jest.useFakeTimers();
    const gates = gatesWith();
    await outages(gates, 5);
    jest.advanceTimersByTime(5_001);
    await outages(gates, 1);
    expect(gates.pausedConnections().get('dead')).toBe(1);
  });

  it('the gate of a connection lets no more calls run at once than the connection says', async () => {
    const gates = gatesWith(2);
    let running = 0;
    let most = 0;
    const call = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    await Promise.all(Array.from({ length: 10 }, () => gates.run('crm', 10, call)));
    expect(most).toBe(2);
  });

  it('the gate of a connection refuses what would wait too long, as a call that was not made', async () => {
    const gates = gatesWith(1);
    let release = (): void => undefined;
    const held = gates.run('crm', 10, () => new Promise<void>((resolve) => (release = resolve)));
    const waiting = Array.from({ length: 512 }, () => gates.run('crm', 10, answer));
    await expect(gates.run('crm', 10, answer)).rejects.toMatchObject({
      code: 'provider_rejected',
      extensions: { reason: 'busy' },
    });
    release();
    await held;
    expect(await Promise.all(waiting)).toHaveLength(512);
  });

  it('the gate of a connection takes a wait for its turn for no outage, and what got none in time for a call that was not made', async () => {
    const gates = gatesWith(1);
    let release = (): void => undefined;
    const held = gates.run('crm', 10, () => new Promise<void>((resolve) => (release = resolve)));
    const call = jest.fn(answer);
    const waiting = await Promise.allSettled(Array.from({ length: 10 }, () => gates.run('crm', 0.02, call)));
    for (const outcome of waiting) {
      expect(outcome).toMatchObject({ reason: { code: 'provider_rejected', extensions: { reason: 'busy' } } });
    }
    release();
    await held;
    expect(await gates.run('crm', 10, answer)).toBe('minted');
    expect(call).not.toHaveBeenCalled();
    gates.requireOpen('crm');
  });

  it('the gate of a connection makes no call after its deadline, also when its turn was not taken from it in time', async () => {
    const gates = gatesWith(1);
    let release = (): void => undefined;
    const held = gates.run('crm', 10, () => new Promise<void>((resolve) => (release = resolve)));
    const call = jest.fn(answer);
    jest.spyOn(AbortSignal, 'timeout').mockImplementationOnce(() => new AbortController().signal);
    await expect(gates.run('crm', 0.02, call)).rejects.toMatchObject({ extensions: { reason: 'busy' } });
    release();
    await held;
    expect(await gates.run('crm', 10, answer)).toBe('minted');
    expect(call).not.toHaveBeenCalled();
  });

  it('the gate of a connection begins a call as soon as there is room, also behind calls whose time has passed', async () => {
    const gates = gatesWith(1);
    let release = (): void => undefined;
    const held = gates.run('crm', 10, () => new Promise<void>((resolve) => (release = resolve)));
    const late = Array.from({ length: 3 }, () => gates.run('crm', 0.02, answer));
    const patient = gates.run('crm', 4, answer);
    await Promise.allSettled(late);
    release();
    await held;
    expect(await patient).toBe('minted');
  });

  it('the gate of a connection counts a call that began and did not answer in time', async () => {
    const gates = gatesWith();
    const silent = () => new Promise<never>(() => undefined);
    await expect(gates.run('dead', 0.02, silent)).rejects.toMatchObject({ code: 'provider_unavailable' });
  });
});
