/** Port: metrics of issuance. Every label has a bounded set of values. */
export interface IssuanceMetrics {
  issuanceEnded(provider: string, outcome: 'issued' | 'rejected' | 'unavailable'): void;
  denied(control: string): void;
  providerAnswered(provider: string, operation: 'mint' | 'revoke' | 'renew', seconds: number): void;
}
