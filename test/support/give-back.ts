import type { TestBroker } from './broker.js';
import { until } from './until.js';

/**
 * Ends every task of a broker and waits until its credentials are gone. A spec that leaves many database roles calls it:
 * the specs after it share the target, and need the connections that those roles may open.
 */
export async function giveBack(broker: Pick<TestBroker, 'send' | 'personToken'>): Promise<void> {
  const token = broker.personToken('operator');
  const body = { scope: { kind: 'all' }, reason: 'the spec is over' };
  const { body: lockdown } = await broker.send('POST /lockdowns', { token, body });
  await until('every credential is gone', 30, async () => {
    const { state, progress } = (await broker.send(`GET /lockdowns/${lockdown.id as string}`, { token })).body;
    return state !== 'engaging' && (progress as { readonly revoking: number }).revoking === 0;
  });
}
