import { canonicalJson, type Clock } from '@mayfly/kernel';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { IssuerSpec, TrustedIssuer } from '../issuers/issuer-spec.js';
import { isPlainUrl } from '../issuers/plain-url.js';
import { KeySet } from './key-set.js';
import type { FetchJson, KeySource } from './key-source.js';
import { IssuerMismatch, RemoteKeys } from './remote-keys.js';

const MAX_REMOTE_SETS = 1000;
const DiscoverySchema = z.looseObject({ issuer: z.string(), jwks_uri: z.string().max(512) });

/** Keys as the issuer's record says: pinned, at a URL, or found by discovery. What was fetched outlives a change of other issuers. */
export class IssuerKeySource implements KeySource {
  private readonly pinned = new WeakMap<IssuerSpec, KeySet>();
  private readonly remote = new LRUCache<string, RemoteKeys>({ max: MAX_REMOTE_SETS });

  constructor(
    private readonly fetchJson: FetchJson,
    private readonly clock: Clock,
  ) {}

  async current({ spec }: TrustedIssuer): Promise<KeySet> {
    return spec.keys.jwks === undefined ? this.remoteKeys(spec).current() : this.pinnedKeys(spec);
  }

  async refresh({ spec }: TrustedIssuer): Promise<KeySet> {
    return spec.keys.jwks === undefined ? this.remoteKeys(spec).refresh() : this.pinnedKeys(spec);
  }

  private pinnedKeys(spec: IssuerSpec): KeySet {
    const known = this.pinned.get(spec);
    if (known !== undefined) return known;
    const keys = KeySet.read(spec.keys.jwks, spec.profile);
    this.pinned.set(spec, keys);
    return keys;
  }

  private remoteKeys(spec: IssuerSpec): RemoteKeys {
    const { issuer, profile, keys, staleKeysSeconds } = spec;
    const id = canonicalJson([issuer, profile, keys.jwksUri ?? null, staleKeysSeconds]);
    const known = this.remote.get(id);
    if (known !== undefined) return known;
    const remote = new RemoteKeys(() => this.load(spec), staleKeysSeconds, this.clock);
    this.remote.set(id, remote);
    return remote;
  }

  private async load(spec: IssuerSpec): Promise<KeySet> {
    const url = spec.keys.jwksUri ?? (await this.discover(spec.issuer));
    return KeySet.read(await this.fetchJson(url), spec.profile);
  }

  /** OIDC Discovery §4: the document must name the very issuer that was configured, character by character (§4.3). */
  private async discover(issuer: string): Promise<string> {
    const document = DiscoverySchema.parse(
      await this.fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`),
    );
    if (document.issuer !== issuer) throw new IssuerMismatch('the discovery document names another issuer');
    if (!isPlainUrl(document.jwks_uri)) throw new Error('the discovery document has no usable jwks_uri');
    return document.jwks_uri;
  }
}
