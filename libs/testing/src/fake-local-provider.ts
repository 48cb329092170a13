import type { CredentialProvider, Minted, MintOrder, ProviderTraits, RevocationOutcome } from '@mayfly/credentials';
import type { Problem } from '@mayfly/kernel';
import { z } from 'zod';

interface LocalHandle {
  readonly id: string;
}

/** A provider that makes its credentials itself: they leave nothing at a target and cannot be revoked. */
export class FakeLocalProvider implements CredentialProvider<object, object, LocalHandle> {
  readonly kind = 'local';
  readonly schemas = {
    config: z.strictObject({}),
    scope: z.record(z.string(), z.json()),
    handle: z.strictObject({ id: z.string() }),
  };
  readonly secretMembers: readonly string[] = [];
  readonly traits: ProviderTraits = { revocation: 'expiry-only', minTtlSeconds: 1, maxTtlSeconds: 900, remote: false };
  /** When set, `mint` throws this problem. */
  failure: Problem | undefined;

  plan({ leaseId }: MintOrder<object, object>): LocalHandle {
    return { id: leaseId };
  }

  async mint({ expiresAt }: MintOrder<object, object>, handle: LocalHandle): Promise<Minted<LocalHandle>> {
    if (this.failure !== undefined) throw this.failure;
    return { handle, secret: { token: `local-secret-${handle.id}` }, providerExpiresAt: expiresAt };
  }

  async revoke(): Promise<RevocationOutcome> {
    return { kind: 'impossible' };
  }
}
