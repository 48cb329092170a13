import type { IdentityUses } from '@mayfly/identity';
import type { FakeTaskRows } from './fake-task-rows.js';

/** Used single-use identity tokens, in memory. */
export class FakeIdentityUses implements IdentityUses {
  private readonly used = new Set<string>();

  constructor(private readonly rows: Pick<FakeTaskRows, 'answer'>) {}

  async consume(issuer: string, jti: string): Promise<boolean> {
    this.rows.answer();
    const isFirst = !this.used.has(tokenOf(issuer, jti));
    this.used.add(tokenOf(issuer, jti));
    return isFirst;
  }

  async giveBack(issuer: string, jti: string): Promise<void> {
    this.rows.answer();
    this.used.delete(tokenOf(issuer, jti));
  }

  async isUsed(issuer: string, jti: string): Promise<boolean> {
    this.rows.answer();
    return this.used.has(tokenOf(issuer, jti));
  }
}

function tokenOf(issuer: string, jti: string): string {
  return JSON.stringify([issuer, jti]);
}
