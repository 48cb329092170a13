import { canonicalJson, type Clock, type ClockReading, clockReading, HEADER_SECONDS, Problem } from '@mayfly/kernel';
import { z } from 'zod';
import type { IssuerSpec } from '../issuers/issuer-spec.js';
import type { BundleEndpoint } from '../issuers/key-location.js';
import { isPlainUrl } from '../issuers/plain-url.js';
import { parseSpiffeId } from '../spiffe-id.js';
import { KeySet } from './key-set.js';
import type { FetchJson, ReadFile, ServerTrust } from './key-source.js';
import { IssuerMismatch } from './remote-keys.js';
import { authoritiesIn, readAuthorities } from './spiffe-authorities.js';

const DiscoverySchema = z.looseObject({ issuer: z.string(), jwks_uri: z.string().max(512) });
type SpiffeEndpoint = Extract<BundleEndpoint, { profile: 'https_spiffe' }>;

/** One step of a load. The loader reports a step before it starts. */
export type LoadStep = 'read the authorities' | 'fetch the discovery document' | 'fetch the keys' | 'read the keys';

/** The ports that fetch and read an issuer's keys. */
export interface KeyAccess {
  readonly fetchJson: FetchJson;
  readonly readFile: ReadFile;
}

/** Called when the keys are fetched: keeps the clock of the issuer. */
export type NoteClock = (reading: ClockReading) => void;

/**
 * Fetches the keys of one issuer as its document says. Follows the bundle that authenticates an `https_spiffe`
 * endpoint.
 */
export class KeyLoader {
  /** the authorities from the last fetch, and the declared authorities that it started from */
  private followed: { readonly given: string; readonly authorities: readonly string[] } | undefined;

  constructor(
    private readonly spec: IssuerSpec,
    private readonly access: KeyAccess,
    private readonly clock: Clock,
    private readonly noteClock: NoteClock,
  ) {}

  /** Throws `Error`, such as `EgressRefused` or `IssuerMismatch`. The text holds no URL. */
  async load(onStep: (step: LoadStep) => void = () => undefined): Promise<KeySet> {
    const { keys, profile, issuer } = this.spec;
    const given = await this.givenAuthorities(onStep);
    const trust = this.trustOf(given);
    let url = keys.jwksUri ?? keys.bundleEndpoint?.url;
    if (url === undefined) {
      onStep('fetch the discovery document');
      url = await this.discover(issuer, trust);
    }
    onStep('fetch the keys');
    const sentAt = this.clock.now();
    const document = await this.access.fetchJson(url, trust, (stated) => {
      this.noteClock(clockReading(sentAt, this.clock.now(), stated, HEADER_SECONDS));
    });
    onStep('read the keys');
    const set = KeySet.read(document, profile);
    this.follow(document, given);
    return set;
  }

  private trustOf(given: readonly string[] | undefined): ServerTrust {
    const endpoint = this.spiffeEndpoint();
    if (given === undefined) return {};
    if (endpoint === undefined) return { authorities: given };
    const followed = this.followed?.given === canonicalJson([...given]) ? this.followed.authorities : undefined;
    return { authorities: followed ?? given, spiffeId: endpoint.spiffeId };
  }

  /**
   * The next fetch trusts the authorities of this one (SPIFFE Federation §5.2.2), until the declared bundle changes.
   */
  private follow(document: unknown, given: readonly string[] | undefined): void {
    const endpoint = this.spiffeEndpoint();
    if (endpoint === undefined || given === undefined) return;
    const isOwn = parseSpiffeId(endpoint.spiffeId)?.trustDomain === parseSpiffeId(this.spec.issuer)?.trustDomain;
    const authorities = isOwn ? authoritiesIn(document) : [];
    if (authorities.length > 0) this.followed = { given: canonicalJson([...given]), authorities };
  }

  private spiffeEndpoint(): SpiffeEndpoint | undefined {
    const endpoint = this.spec.keys.bundleEndpoint;
    return endpoint?.profile === 'https_spiffe' ? endpoint : undefined;
  }

  private async givenAuthorities(onStep: (step: LoadStep) => void): Promise<readonly string[] | undefined> {
    const { bundle, bundleFile } = this.spiffeEndpoint() ?? {};
    const path = bundleFile ?? this.spec.caFile;
    if (bundle === undefined && path === undefined) return undefined;
    onStep('read the authorities');
    if (bundle !== undefined) return inMember('keys.bundleEndpoint.bundle', () => inline(bundle));
    return this.authoritiesAt(bundleFile === undefined ? 'caFile' : 'keys.bundleEndpoint.bundleFile', path ?? '');
  }

  private async authoritiesAt(member: string, path: string): Promise<readonly string[]> {
    const text = await this.access.readFile(path.replace(/^file:/, '')).catch((error: unknown) => {
      throw new Error(`\`${member}\`: ${error instanceof Problem ? error.detail : 'the file cannot be read'}`);
    });
    return inMember(member, () => readAuthorities(text));
  }

  /** OIDC Discovery §4: the document must name the configured issuer, character by character (§4.3). */
  private async discover(issuer: string, trust: ServerTrust): Promise<string> {
    const document = DiscoverySchema.safeParse(
      await this.access.fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, trust),
    );
    if (!document.success) throw new Error('the discovery document has no `issuer` or no `jwks_uri`');
    if (document.data.issuer !== issuer)
      throw new IssuerMismatch('the discovery document names another issuer; make `issuer` equal to it');
    if (!isPlainUrl(document.data.jwks_uri)) throw new Error('the discovery document has no usable jwks_uri');
    return document.data.jwks_uri;
  }
}

function inline(bundle: unknown): readonly string[] {
  return readAuthorities(JSON.stringify(bundle));
}

function inMember<Value>(member: string, read: () => Value): Value {
  try {
    return read();
  } catch (cause) {
    throw new Error(`\`${member}\`: ${cause instanceof Error ? cause.message : 'it cannot be read'}`, { cause });
  }
}
