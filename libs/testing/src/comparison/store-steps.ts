import type { TaskEndCause } from '@mayfly/tasks';
import fc from 'fast-check';

/** A request of a batch. Numbers choose among what exists: agents, templates, holds. */
export interface OpenPlan {
  /** 2 is an agent that nobody declared */
  readonly agent: number;
  /** 2 is a template that nobody declared */
  readonly template: number;
  readonly version: number;
  readonly leases: readonly { readonly connection: string; readonly mintSeconds: number }[];
  readonly state: 'minting' | 'active';
  readonly lifetimeSeconds: number;
  readonly heartbeatTimeoutSeconds?: number;
  /** how far the clock of the replica is ahead */
  readonly aheadSeconds: number;
  readonly hold?: number;
}

/** An end, with what is known of the mint of each lease. */
export interface EndPlan {
  readonly task: number;
  readonly cause: TaskEndCause;
  readonly mints: readonly ('unknown' | 'minted' | 'never minted')[];
}

export interface ResultPlan {
  readonly claim: number;
  readonly result: 'revoked' | 'expired' | 'no answer' | 'acknowledged';
  readonly seconds: number;
  /** the number of workers that report the result */
  readonly times: number;
}

/** One step. `task`, `lease`, `claim`, `hold` choose among those of earlier steps. */
export type StoreStep =
  | { readonly do: 'open'; readonly requests: readonly OpenPlan[] }
  | { readonly do: 'activate'; readonly tasks: readonly number[] }
  | { readonly do: 'end'; readonly requests: readonly EndPlan[] }
  | { readonly do: 'claim due'; readonly busy: 'nothing' | 'connection' | 'lane' }
  | { readonly do: 'claim lease'; readonly lease: number }
  | { readonly do: 'record'; readonly results: readonly ResultPlan[]; readonly inOneCall: boolean }
  | { readonly do: 'renew' | 'heartbeat'; readonly task: number; readonly seconds: number }
  | {
      readonly do: 'reissue' | 'renewed at provider' | 'record handle';
      readonly lease: number;
      readonly seconds: number;
    }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'suspend agent' | 'activate agent'; readonly agent: number }
  | { readonly do: 'set template'; readonly template: number; readonly version?: number }
  | { readonly do: 'disable connection'; readonly connection: string }
  | { readonly do: 'hold key'; readonly owner: number; readonly key: string; readonly body: string }
  | { readonly do: 'settle key' | 'release key'; readonly hold: number; readonly task: number }
  | { readonly do: 'use token' | 'give token back'; readonly issuer: string; readonly jti: string };

/** The steps of a run, and the limits of both versions of its two templates. */
export interface StoreStory {
  readonly limits: readonly (readonly Limits[])[];
  readonly steps: readonly StoreStep[];
}

export interface Limits {
  readonly tasksPerMinute: number;
  readonly concurrentTasks: number;
}

const CONNECTIONS = ['crm', 'files'];
const CAUSES = ['completed', 'failed', 'revoked', 'expired', 'issuance_failed'] as const;
const SECONDS = [0, 1, 4, 5, 10, 12, 29, 30, 31, 60, 61, 300, 600];

const some = fc.nat(9);
const seconds = fc.constantFrom(...SECONDS);
const connection = fc.constantFrom(...CONNECTIONS);

/** Objects that print as they are written. */
const PLAIN = { noNullPrototype: true } as const;

const lease = fc.record({ connection, mintSeconds: fc.constantFrom(4, 10) }, PLAIN);
const request: fc.Arbitrary<OpenPlan> = fc.record(
  {
    agent: fc.constantFrom(0, 0, 0, 1, 1, 2),
    template: fc.constantFrom(0, 0, 0, 1, 1, 2),
    version: fc.constantFrom(1, 1, 1, 2),
    leases: fc.array(lease, { minLength: 1, maxLength: 3 }),
    state: fc.constantFrom('minting', 'active'),
    lifetimeSeconds: fc.constantFrom(40, 300, 600),
    heartbeatTimeoutSeconds: fc.constant(30),
    aheadSeconds: fc.constantFrom(0, 0, 0, 0, 5, -5, 5.001, -6),
    hold: some,
  },
  { ...PLAIN, requiredKeys: ['agent', 'template', 'version', 'leases', 'state', 'lifetimeSeconds', 'aheadSeconds'] },
);
const mints = fc.array(fc.constantFrom('unknown', 'minted', 'never minted'), { minLength: 3, maxLength: 3 });
const end: fc.Arbitrary<EndPlan> = fc.record({ task: some, cause: fc.constantFrom(...CAUSES), mints }, PLAIN);
const result: fc.Arbitrary<ResultPlan> = fc.record(
  {
    claim: some,
    result: fc.constantFrom('revoked', 'revoked', 'expired', 'no answer', 'acknowledged'),
    seconds: fc.constantFrom(0, 1, 4, 60),
    times: fc.constantFrom(1, 1, 2),
  },
  PLAIN,
);
const several = <Value>(one: fc.Arbitrary<Value>, maxLength: number) => fc.array(one, { minLength: 1, maxLength });

const step: fc.Arbitrary<StoreStep> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('open'), requests: several(request, 6) }, PLAIN) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('activate'), tasks: several(some, 4) }, PLAIN) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('end'), requests: several(end, 4) }, PLAIN) },
  {
    weight: 3,
    arbitrary: fc.record(
      {
        do: fc.constant('claim due'),
        busy: fc.constantFrom('nothing', 'nothing', 'connection', 'lane'),
      },
      PLAIN,
    ),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('claim lease'), lease: some }, PLAIN) },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('record'), results: several(result, 5), inOneCall: fc.boolean() }, PLAIN),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('renew', 'heartbeat'), task: some, seconds }, PLAIN) },
  {
    weight: 2,
    arbitrary: fc.record(
      {
        do: fc.constantFrom('reissue', 'renewed at provider', 'record handle'),
        lease: some,
        seconds,
      },
      PLAIN,
    ),
  },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('wait'), seconds }, PLAIN) },
  {
    weight: 2,
    arbitrary: fc.record(
      { do: fc.constantFrom('suspend agent', 'activate agent'), agent: fc.constantFrom(0, 1) },
      PLAIN,
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record(
      { do: fc.constant('set template'), template: fc.constantFrom(0, 1), version: fc.constantFrom(1, 1, 2) },
      { ...PLAIN, requiredKeys: ['do', 'template'] },
    ),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disable connection'), connection }, PLAIN) },
  {
    weight: 4,
    arbitrary: fc.record(
      {
        do: fc.constant('hold key'),
        owner: fc.constantFrom(0, 1),
        key: fc.constantFrom('one', 'two'),
        body: fc.constantFrom('body', 'other'),
      },
      PLAIN,
    ),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('settle key', 'release key'), hold: some, task: some }, PLAIN),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        do: fc.constantFrom('use token', 'give token back'),
        issuer: fc.constantFrom('ci', 'cluster'),
        jti: fc.constantFrom('one', 'two'),
      },
      PLAIN,
    ),
  },
);

const limits: fc.Arbitrary<Limits> = fc.record(
  {
    tasksPerMinute: fc.constantFrom(1, 2, 4, 100),
    concurrentTasks: fc.constantFrom(1, 2, 4, 100),
  },
  PLAIN,
);
const versions = fc.tuple(limits, limits);

/** Stories of openings, ends, results, key holds and changes of declared state, with pauses between them. */
export const storeStories: fc.Arbitrary<StoreStory> = fc.record(
  {
    limits: fc.tuple(versions, versions),
    steps: fc.array(step, { minLength: 4, maxLength: 40, size: 'max' }),
  },
  PLAIN,
);
