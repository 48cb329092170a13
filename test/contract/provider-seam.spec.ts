import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import {
  ProviderRegistry,
  type Authoring,
  type CredentialProvider,
  type Minted,
  type MintOrder,
  type ProviderEntry,
  type ProviderTraits,
  type RevocationOrder,
  type RevocationOutcome,
} from '@mayfly/credentials';
import { lintFactsOf } from '@mayfly/declarations';
import { Problem, type Clock, type Json } from '@mayfly/kernel';
import { createLogger, redactionOf } from '@mayfly/telemetry';
import { lintTemplate, type TaskTemplateSpec } from '@mayfly/templates';
import {
  FakeTaskStores,
  IssuanceService,
  providerConformanceSuite,
  redactionSuite,
  templateOf,
  type ProviderSubject,
} from '@mayfly/testing';
import { PROVIDERS, type ProviderParts } from '@mayfly/service';
import { z } from 'zod';
import { secretText } from './crm-database.js';

const ConfigSchema = z.strictObject({ site: z.string().default('north') });
const ScopeSchema = z.strictObject({ doors: z.array(z.string()).min(1), level: z.enum(['guest', 'staff']) });
const HandleSchema = z.strictObject({ badge: z.string() });
type Config = z.infer<typeof ConfigSchema>;
type Scope = z.infer<typeof ScopeSchema>;
type Handle = z.infer<typeof HandleSchema>;

/** The doors of a building: what the badges that it knows open, until they expire. */
const doors = new Map<string, { readonly code: string; readonly until: Date }>();

const TRAITS: ProviderTraits = { revocation: 'immediate', minTtlSeconds: 5, maxTtlSeconds: 3_600, remote: true };

/** A kind of credential that no room has heard of: all that is known of it is here. */
class BadgeProvider implements CredentialProvider<Config, Scope, Handle> {
  readonly kind = 'badge';
  readonly schemas = { config: ConfigSchema, scope: ScopeSchema, handle: HandleSchema };
  readonly secretMembers: readonly string[] = [];
  readonly traits = TRAITS;
  readonly authoring: Authoring = {
    authoredMembers: ['level'],
    faultsOfText: ([first, hole]) =>
      first === 'door:' && typeof hole === 'object' ? [`\`${hole.parameter}\` chooses the site; write that out`] : [],
  };

  constructor(private readonly clock: Clock) {}

  plan({ leaseId }: MintOrder<Config, Scope>): Handle {
    return { badge: leaseId };
  }

  async mint(order: MintOrder<Config, Scope>, handle: Handle, signal: AbortSignal): Promise<Minted<Handle>> {
    const seconds = (order.expiresAt.getTime() - order.issuedAt.getTime()) / 1000;
    if (seconds < TRAITS.minTtlSeconds || seconds > TRAITS.maxTtlSeconds)
      throw new Problem('provider_rejected', 'a badge lives for 5 to 3600 s');
    if (signal.aborted || this.clock.now() > order.mintBy)
      throw new Problem('provider_rejected', 'the time to make the badge is over');
    if (order.scope.doors.includes('vault')) throw new Problem('provider_rejected', 'no badge opens the vault');
    if (doors.has(handle.badge)) throw new Problem('provider_unavailable', 'there is such a badge already');
    const code = `bdg_${createHash('sha256').update(handle.badge).digest('hex').slice(0, 24)}`;
    doors.set(handle.badge, { code, until: order.expiresAt });
    return { handle, secret: { code }, providerExpiresAt: order.expiresAt };
  }

  async revoke({ handle }: RevocationOrder<Config, Handle>): Promise<RevocationOutcome> {
    return { kind: doors.delete(handle.badge) ? 'revoked' : 'already_gone' };
  }
}

const BADGE_REDACTION = [/bdg_[0-9a-f]{24}/g];

/** The one line by which the service would have it. */
const LINE: ProviderEntry<Pick<ProviderParts, 'clock'>> = {
  build: ({ clock }) => ({ provider: new BadgeProvider(clock) }),
  redaction: BADGE_REDACTION,
};

const opens = (code: Json | undefined): boolean => [...doors.values()].some((badge) => badge.code === code);

describe('a provider that is its own file and one line', () => {
  let service: IssuanceService<FakeTaskStores>;
  beforeEach(async () => {
    doors.clear();
    const stores = new FakeTaskStores();
    service = new IssuanceService(stores, undefined, [LINE.build({ clock: stores.scene.clock })]);
    await service.publish(templateOf(specOf({ doors: [{ $param: 'region' }], level: 'guest' }, ['region'])));
  });

  it('a provider that is one file is linted by the general rules, its schema and its own grammar', () => {
    expect(rulesOf({ doors: [{ $param: 'region' }], level: 'guest' })).toEqual([]);
    expect(rulesOf({ doors: [], level: 'guest' })).toContain('MF204 /credentials/0/scope/doors');
    expect(rulesOf({ doors: ['gate'], level: { $param: 'site' } })).toContain('MF211 /credentials/0/scope/level');
    expect(rulesOf({ doors: ['gate'], level: 'boss' })).toContain('MF306 /credentials/0/scope');
    const chosen = { doors: [{ $join: ['door:', { $param: 'site' }, ':gate'] }], level: 'guest' };
    expect(rulesOf(chosen)).toContain('MF210 /credentials/0/scope/doors/0');
  });

  it('a provider that is its own file and one line is granted, and ended', async () => {
    const { plan, minted } = await service.issue();
    const code = minted[0]?.secret.code;
    expect(opens(code)).toBe(true);
    await service.ending.end({
      taskId: plan.task.id,
      cause: 'completed',
      actor: MAYFLY,
      minted: plan.leases.map(({ id }) => id),
    });
    expect(opens(code)).toBe(false);
    expect(await service.stores.scene.leases(plan.task.id)).toMatchObject([{ state: 'revoked' }]);
  });

  it('a provider that is its own file and one line is redacted, in the log from the first line on', async () => {
    const { minted } = await service.issue();
    const code = secretText(minted[0]!.secret, 'code');
    const patterns = [...PROVIDERS, LINE].flatMap(({ redaction }) => redaction ?? []);
    const lines: string[] = [];
    const destination = { write: (line: string) => lines.push(line) };
    createLogger({ level: 'info', redact: redactionOf(patterns), destination }).info(`the badge ${code} was shown`);
    expect(lines).toEqual([expect.stringContaining('the badge [redacted] was shown')]);
  });
});

redactionSuite('badge', BADGE_REDACTION, [['a badge', 'badge bdg_0123456789abcdef01234567', '0123456789abcdef']]);

providerConformanceSuite(
  'badge',
  { remote: true, renewable: false, refusesScopes: true, stalls: false },
  async (): Promise<ProviderSubject<Config, Scope, Handle>> => {
    const clock = { now: () => new Date('2030-01-01T00:00:00Z') };
    return {
      provider: new BadgeProvider(clock),
      config: { site: 'north' },
      scope: { doors: ['gate'], level: 'guest' },
      refusedScope: { doors: ['vault'], level: 'guest' },
      now: () => clock.now(),
      isAlive: async ({ code }) => opens(code),
      isPresent: async ({ badge }) => doors.has(badge),
      secretTexts: (secret) => [secretText(secret, 'code')],
      close: async () => undefined,
    };
  },
);

type ScopeTemplate = TaskTemplateSpec['credentials'][number]['scope'];

function specOf(scope: ScopeTemplate, required: readonly string[]): Partial<TaskTemplateSpec> {
  const properties = { region: { enum: ['emea', 'apac'] }, site: { type: 'string', maxLength: 8 } };
  return {
    parameters: { type: 'object', properties, required: [...required], additionalProperties: false },
    credentials: [{ name: 'badge', provider: 'badge', connection: 'building', scope }],
  };
}

/** Returns the rules that the linter finds broken in such a scope, without MF108 (unused parameters). */
function rulesOf(scope: ScopeTemplate): readonly string[] {
  const spec = { ...templateOf().version.spec, ...specOf(scope, ['region', 'site']) };
  const providers = new ProviderRegistry([LINE.build({ clock: { now: () => new Date() } })]);
  const connections = [{ name: 'building', spec: { provider: 'badge', config: {} } }];
  return lintTemplate(spec, lintFactsOf(providers.all, connections))
    .filter(({ rule }) => rule !== 'MF108')
    .map(({ rule, pointer }) => `${rule} ${pointer}`);
}
