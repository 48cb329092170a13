import { auditEntry, type EntrySink } from '@mayfly/audit';
import { withDeadline } from '@mayfly/credentials';
import {
  examineKeys,
  examineToken,
  IssuerSpecSchema,
  replayRefused,
  type IdentityUses,
  type IdentityVerifier,
  type IssuerCheck,
  type IssuerKeySource,
  type VerifiedIdentity,
} from '@mayfly/identity';
import { Problem, type Clock } from '@mayfly/kernel';
import type { Catalog } from '../catalog.js';
import type { RecordReader } from '../declaration.store.js';
import { existing, type Declarer } from '../records/declared-record.js';

const TEST_SECONDS = 20;

export interface IssuerTestsParts {
  readonly records: Pick<RecordReader, 'find'>;
  readonly keySource: Pick<IssuerKeySource, 'fetchNow' | 'clockOf'>;
  readonly verifier: Pick<IdentityVerifier, 'judge' | 'contradictionOf'>;
  readonly catalog: Pick<Catalog, 'bindingOf' | 'claimOfOtherType'>;
  readonly identityUses: Pick<IdentityUses, 'isUsed'>;
  readonly audit: EntrySink;
  readonly clock: Clock;
}

/** The result of a test of an issuer. */
export interface IssuerTest {
  readonly ok: boolean;
  readonly checks: readonly IssuerCheck[];
}

/** Tests issuers, with or without a token. */
export class IssuerTests {
  constructor(private readonly parts: IssuerTestsParts) {}

  /**
   * Fetches the issuer's keys now and checks `token`, if given, rule by rule. It stores no token, consumes no `jti` and
   * admits nobody. Throws `not_found`.
   */
  async test(name: string, token: string | undefined, by: Declarer): Promise<IssuerTest> {
    const { spec } = existing(await this.parts.records.find('Issuer', name), 'Issuer', name);
    const issuer = { name, spec: IssuerSpecSchema.parse(spec) };
    const { checks: keyChecks, keys } = await withDeadline(TEST_SECONDS, () =>
      examineKeys(this.parts.keySource, issuer),
    );
    const now = this.parts.clock.now();
    const tokenChecks =
      token === undefined
        ? []
        : [...(await examineToken(token, { issuer, keys, now })), await this.identityCheck(token, name)];
    const checks = [this.forceCheck(name), ...keyChecks, ...tokenChecks];
    const wrong = checks
      .filter(({ outcome }) => outcome === 'missing' || outcome === 'failed')
      .map((check) => check.name);
    const facts = { name, withToken: token !== undefined, ok: wrong.length === 0, wrong };
    await this.parts.audit.record([auditEntry('issuer.tested', now, by.actor, {}, facts)]);
    return { ok: wrong.length === 0, checks };
  }

  /** Returns why the document is out of force; undefined when it is in force. */
  contradictionOf(name: string): string | undefined {
    return this.parts.verifier.contradictionOf(name);
  }

  private forceCheck(name: string): IssuerCheck {
    const detail = this.contradictionOf(name);
    return detail === undefined
      ? { name: 'in force', outcome: 'ok' }
      : { name: 'in force', outcome: 'failed', detail: `the document is out of force: ${detail}` };
  }

  /** Checks the token as a request would, with the declarations in force: refused, or the caller that it identifies. */
  private async identityCheck(token: string, name: string): Promise<IssuerCheck> {
    try {
      const identity = await this.parts.verifier.judge(token);
      if (identity.singleUse && identity.jti !== undefined) {
        const isUsed = await this.parts.identityUses.isUsed(identity.issuerUrl, identity.jti);
        if (isUsed) throw replayRefused(identity);
      }
      return this.standingOf(identity, name);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return { name: 'identity', outcome: 'failed', detail: `the broker refuses the token: ${error.detail}` };
    }
  }

  private standingOf(identity: VerifiedIdentity, name: string): IssuerCheck {
    const { issuer, subject, kind, roles, singleUse, issuerNames, acceptedBy } = identity;
    const once = singleUse ? '; the token opens one task, and this test did not use it' : '';
    const ok = (who: string): IssuerCheck => ({ name: 'identity', outcome: 'ok', detail: `${who}${once}` });
    const missing = (what: string): IssuerCheck => ({ name: 'identity', outcome: 'missing', detail: what });
    if (!issuerNames.includes(name)) return missing(`the token is from issuer \`${issuer}\`; test it there`);
    if (!acceptedBy.includes(name))
      return missing(`this document does not accept the token; \`${acceptedBy.join(', ')}\` of the same issuer does`);
    const bound = this.parts.catalog.bindingOf(identity);
    if (bound !== undefined) {
      const { agent, runtime } = bound;
      if (agent.state !== 'active') return missing(`agent \`${agent.name}\` is ${agent.state}`);
      return ok(`agent \`${agent.name}\` in the runtime \`${runtime}\``);
    }
    if (kind === 'person' && roles.length > 0) return ok(`a person with ${roles.join(', ')}`);
    if (kind === 'person')
      return missing('the token belongs to a person without a role; compare `roles` of the document with its claims');
    const near = this.parts.catalog.claimOfOtherType(identity);
    if (near !== undefined)
      return missing(
        `agent \`${near.agent}\` is bound to the claim \`${near.claim}\` with a value of another type; bind a value of the type in the token`,
      );
    return missing(`no agent is bound to this identity; bind one to issuer \`${issuer}\`, subject \`${subject}\``);
  }
}
