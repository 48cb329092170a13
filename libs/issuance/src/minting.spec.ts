import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { type AnyProvider, ConnectionGates, type Minted } from '@mayfly/credentials';
import { addSeconds, Problem } from '@mayfly/kernel';
import { NO_OBSERVER } from '@mayfly/tasks';
import { FakeIssuanceMetrics, FakeTaskStores, holdDeadlines, IssuanceService, templateOf } from '@mayfly/testing';
import { checkMinted, Minter, MintFailure } from './minting.js';
import { Opening, type Opened } from './opening.js';
import type { RemotePlan } from './plan.js';

type Mint = AnyProvider['mint'];

const never = (): Promise<never> => new Promise(() => undefined);
const rejected = () => Promise.reject(new Problem('provider_rejected', 'there is no such role'));
const unavailable = () => Promise.reject(new Problem('provider_unavailable', 'the target did not answer'));

describe('minting', () => {
  let metrics: FakeIssuanceMetrics;
  let plan: RemotePlan;
  let service: IssuanceService<FakeTaskStores>;

  beforeEach(async () => {
    service = new IssuanceService(new FakeTaskStores());
    const credentials = ['a', 'b', 'c'].map((name) => ({
      ...{ name, provider: 'dummy', connection: name },
      scope: { permissions: [name] },
    }));
    await service.publish(templateOf({ credentials }));
    plan = (await service.issue()).plan as RemotePlan;
    metrics = new FakeIssuanceMetrics();
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  /** Returns the plan with `mints` as the `mint` of its leases, in order; further leases use the last one. */
  function planned(...mints: readonly Mint[]): RemotePlan {
    const leases = plan.leases.map((lease, index) => {
      const { kind, traits } = lease.target.provider;
      const mint = mints[index] ?? mints.at(-1);
      return { ...lease, target: { ...lease.target, provider: { kind, traits, mint } as AnyProvider } };
    });
    return { ...plan, leases };
  }

  const mintedFor: Mint = async ({ leaseId, expiresAt }, handle: unknown) => ({
    ...{ handle, secret: { token: leaseId }, providerExpiresAt: expiresAt },
  });
  const failureOf = (work: Promise<unknown>): Promise<MintFailure> =>
    work.then(never, (error: unknown) => error as MintFailure);
  const ids = () => plan.leases.map(({ id }) => id);

  const minter = (): Minter =>
    new Minter(
      metrics,
      new ConnectionGates({ find: () => undefined }, service.alarm, service.clocks),
      service.stores.issuance,
      service.sealer,
      NO_OBSERVER,
    );

  /** The mint of a plan whose intent was committed. */
  async function minted(committed: RemotePlan): Promise<readonly Minted<unknown>[]> {
    const opening = new Opening({ open: async () => 'opened', quotaLeft: () => never() });
    return minter().mint(await opening.open(committed));
  }

  describe('Minter', () => {
    it('the minter takes no plan of remote leases without the proof that its intent is committed', () => {
      // @ts-expect-error -- a plan is no proof
      const refused = (): unknown => minter().mint(plan);
      // @ts-expect-error -- nobody but `Opening` makes the proof
      const forged: Opened = { plan };
      // @ts-expect-error -- a plan of remote leases is not minted like a local one
      const asLocal = (): unknown => minter().mintLocal(plan);
      expect([refused, forged, asLocal]).toHaveLength(3);
    });

    it('the minter gives the credentials in the order of the plan, whichever comes first', async () => {
      const late: Mint = async (...order) => {
        await new Promise((resolve) => setImmediate(resolve));
        return mintedFor(...order);
      };
      const credentials = await minted(planned(late, mintedFor));
      expect(credentials.map(({ secret }) => secret.token)).toEqual(ids());
      expect(metrics.issuances).toEqual(['dummy issued', 'dummy issued', 'dummy issued']);
      expect(metrics.answers).toEqual(['dummy mint', 'dummy mint', 'dummy mint']);
    });

    it('the minter calls every provider once, at the same time, and never again', async () => {
      const mint = jest.fn<Mint>().mockImplementation(unavailable);
      await failureOf(minted(planned(mint)));
      expect(mint).toHaveBeenCalledTimes(3);
    });

    it('the minter gives out nothing from a target whose clock is wrong, and the next request is refused before a mint', async () => {
      const offset = { offsetSeconds: 12, uncertaintySeconds: 0.5, at: service.stores.scene.clock.now() };
      const { leases } = planned(mintedFor);
      const wrong = leases.map((lease) => {
        const provider = { ...lease.target.provider, clockAt: () => offset } as AnyProvider;
        return { ...lease, connection: 'crm', target: { ...lease.target, provider } };
      });
      const failure = await failureOf(minted({ ...plan, leases: wrong }));
      expect(failure).toMatchObject({ minted: ids(), neverMinted: [] });
      expect(failure.problem).toMatchObject({ extensions: { reason: 'clock-difference' } });
      expect(() => {
        service.gates.requireOpen('crm');
      }).toThrow('12 s ahead');
      service.clocks.note('crm', { ...offset, offsetSeconds: 0 });
    });

    it('the minter separates minted, provably unminted and unknown leases', async () => {
      const failure = await failureOf(minted(planned(mintedFor, rejected, unavailable)));
      const [first, second] = ids();
      expect(failure).toBeInstanceOf(MintFailure);
      expect(failure).toMatchObject({ minted: [first], neverMinted: [second] });
      expect(failure.problem).toMatchObject({ code: 'provider_rejected', detail: 'there is no such role' });
      expect(metrics.issuances.sort()).toEqual(['dummy issued', 'dummy rejected', 'dummy unavailable']);
    });

    it.each([
      ['before it recorded anything', false],
      ['after it recorded something', true],
    ])(
      'the minter takes an outage %s of a provider that records first for the outcome that it proves',
      async (_, records) => {
        const mint: Mint = async (_order, handle, _signal, record) => {
          if (records) await record({ ...(handle as object), accessor: 'x' });
          return unavailable();
        };
        const { leases } = planned(mint);
        const first = leases.map((lease) => ({ ...lease, traits: { ...lease.traits, recordsFirst: true } }));
        const failure = await failureOf(minted({ ...plan, leases: first }));
        expect(failure.neverMinted).toEqual(records ? [] : ids());
      },
    );

    it.each<[string, Mint]>([
      ['an error that is no problem', () => Promise.reject(new TypeError('password hunter2 is undefined'))],
      [
        'an error at once',
        () => {
          throw new Error('password hunter2');
        },
      ],
      ['any other problem', () => Promise.reject(new Problem('internal', 'the scope is of another provider'))],
    ])('the minter takes %s for an unknown outcome', async (_, mint) => {
      const failure = await failureOf(minted(planned(mint)));
      expect(failure).toMatchObject({ minted: [], neverMinted: [] });
      expect(failure.problem.detail).not.toContain('hunter2');
    });

    it('the minter gives up on a provider that hangs after 10 s, with an unknown outcome', async () => {
      const deadlines = holdDeadlines();
      const failing = failureOf(minted(planned(mintedFor, never, mintedFor)));
      await new Promise((resolve) => setImmediate(resolve));
      // half of it is the longest wait for a turn
      expect(deadlines.seconds).toEqual([5, 10, 5, 10, 5, 10]);
      await new Promise((resolve) => setImmediate(resolve));
      deadlines.strike();
      const failure = await failing;
      const [first, , third] = ids();
      expect(failure).toMatchObject({ minted: [first, third], neverMinted: [] });
      expect(failure.problem.code).toBe('provider_unavailable');
    });

    it('the minter sets no deadline where nothing leaves the process', async () => {
      const deadlines = holdDeadlines();
      const service = new IssuanceService(new FakeTaskStores());
      await service.publish(
        templateOf({ credentials: [{ name: 'token', provider: 'local', scope: { audience: 'cases' } }] }),
      );
      await service.issue();
      expect(deadlines.seconds).toEqual([]);
    });
  });

  describe('checkMinted', () => {
    const asOrdered = (): Minted<unknown>[] =>
      plan.leases.map(({ handle, order }) => ({
        ...{ handle: { ...handle }, secret: { token: 'x' }, providerExpiresAt: order.expiresAt },
      }));
    const complaintAbout = (minted: readonly Minted<unknown>[], from = plan): MintFailure => {
      try {
        checkMinted(from, minted);
      } catch (error) {
        return error as MintFailure;
      }
      throw new Error('it had nothing to complain about');
    };

    it('checkMinted accepts a credential as ordered and an earlier expiry', () => {
      const minted = asOrdered();
      minted[0] = { ...minted[0]!, providerExpiresAt: addSeconds(plan.task.expiresAt, -1) };
      expect(() => {
        checkMinted(plan, minted);
      }).not.toThrow();
    });

    it('checkMinted accepts a handle that the provider completed', () => {
      const minted = asOrdered();
      minted[1] = { ...minted[1]!, handle: { ...plan.leases[1]!.handle, target: 'the one reached' } };
      expect(() => {
        checkMinted(plan, minted);
      }).not.toThrow();
    });

    it.each<[string, (minted: Minted<unknown>) => Minted<unknown>]>([
      ['its handle differs from the recorded handle', (one) => ({ ...one, handle: { id: 'another' } })],
      ['its handle differs from the recorded handle', (one) => ({ ...one, handle: { more: 1 } })],
      ['its handle differs from the recorded handle', (one) => ({ ...one, handle: null })],
      [
        'its expiry is later than the deadline',
        (one) => ({ ...one, providerExpiresAt: addSeconds(one.providerExpiresAt, 0.001) }),
      ],
      ['it is empty', (one) => ({ ...one, secret: {} })],
    ])('checkMinted complains that %s, and takes everything for minted', (cause, spoil) => {
      const minted = asOrdered();
      minted[1] = spoil(minted[1]!);
      const failure = complaintAbout(minted);
      expect(failure).toMatchObject({ minted: ids(), neverMinted: [] });
      expect(failure.problem).toMatchObject({ code: 'provider_unavailable', cause });
      expect(failure.problem.detail).toContain('`b`');
    });

    it('checkMinted complains about a credential that is missing', () => {
      expect(complaintAbout(asOrdered().slice(0, 2)).problem.cause).toBe('nothing was minted');
    });

    it('checkMinted lets the judge of the provider speak', () => {
      const target = { ...plan.leases[2]!.target, check: () => 'its audience is another' };
      const judged = { ...plan, leases: [...plan.leases.slice(0, 2), { ...plan.leases[2]!, target }] };
      expect(complaintAbout(asOrdered(), judged).problem.cause).toBe('its audience is another');
    });
  });
});
