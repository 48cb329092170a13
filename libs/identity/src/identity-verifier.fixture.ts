import type { JsonObject } from '@mayfly/kernel';
import { FakeIssuer } from '@mayfly/testing';
import { IdentityVerifier } from './identity-verifier.js';
import { IssuerKeySource } from './keys/issuer.key-source.js';

const clock = { now: () => new Date('2026-11-01T12:00:00Z') };
export const now = clock.now().getTime() / 1000;

export const ci = new FakeIssuer({ clock });
export const rsa = new FakeIssuer({ clock, issuer: 'https://rsa.example', algorithm: 'RS256' });
export const mesh = new FakeIssuer({ clock, issuer: 'spiffe://prod.example' });
export const cluster = new FakeIssuer({ clock, issuer: 'https://cluster.example' });
export const hub = new FakeIssuer({ clock, issuer: 'https://token.actions.githubusercontent.com', algorithm: 'RS256' });
export const stranger = new FakeIssuer({ clock, issuer: 'https://stranger.example' });
/** claims to be `ci`, has other keys */
export const impostor = new FakeIssuer({ clock });

/** The URLs that the verifier fetched. */
export const fetched: string[] = [];
const fetchJson = async (url: string): Promise<never> => {
  fetched.push(url);
  throw new Error('nothing is fetched for pinned keys');
};
const keySource = new IssuerKeySource({ fetchJson, readFile: fetchJson }, clock);
export const verifier = new IdentityVerifier(keySource, clock);

verifier.replaceIssuers([
  ci.trusted('ci', { algorithms: ['ES256', 'RS256'] }),
  rsa.trusted('rsa'),
  mesh.trusted('mesh', { profile: 'spiffe-jwt' }),
  cluster.trusted('cluster', { profile: 'kubernetes' }),
  hub.trusted('hub', { profile: 'github-actions' }),
]);

export const spiffe = (sub: string, more: JsonObject = {}): string => mesh.sign({ iss: undefined, sub, ...more });
export const serviceAccount = { namespace: 'crm', serviceaccount: { name: 'agent', uid: 'u-1' } };
export const job = {
  repository_id: '1',
  repository_owner_id: '2',
  event_name: 'push',
  run_id: '3',
  run_attempt: '1',
  jti: 'j-1',
};
