import type { IssuanceMetrics } from '@mayfly/issuance';

/** Records each call. */
export class FakeIssuanceMetrics implements IssuanceMetrics {
  readonly issuances: string[] = [];
  readonly denials: string[] = [];
  readonly answers: string[] = [];

  issuanceEnded(provider: string, outcome: string): void {
    this.issuances.push(`${provider} ${outcome}`);
  }

  denied(control: string): void {
    this.denials.push(control);
  }

  providerAnswered(provider: string, operation: string): void {
    this.answers.push(`${provider} ${operation}`);
  }
}
