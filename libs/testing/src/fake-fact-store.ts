import type { FactStore } from '@mayfly/issuance';

/** The declared facts of decisions, in memory. */
export class FakeFactStore implements FactStore {
  readonly bodies = new Map<string, string>();

  async keep(digest: string, body: string): Promise<void> {
    if (!this.bodies.has(digest)) this.bodies.set(digest, body);
  }

  async find(digest: string): Promise<string | undefined> {
    return this.bodies.get(digest);
  }
}
