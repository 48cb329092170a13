/** Numbers for operators. Labels come from bounded sets. */
export interface IssuanceMetrics {
  issuanceEnded(provider: string, outcome: 'issued' | 'rejected' | 'unavailable'): void;
  denied(control: string): void;
  providerAnswered(provider: string, operation: 'mint' | 'revoke' | 'renew', seconds: number): void;
}
