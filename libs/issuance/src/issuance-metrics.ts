/** Port: metrics of issuance. Every label has a bounded set of values. */
export interface IssuanceMetrics {
  /** Counts one call of `mint` by its result. `provider` is the kind. */
  issuanceEnded(provider: string, outcome: 'issued' | 'rejected' | 'unavailable'): void;
  /** Counts a denial by its control, or by the problem code when no control denied. */
  denied(control: string): void;
  /** Records the duration of one call of a provider, failed or not. */
  providerAnswered(provider: string, operation: 'mint' | 'revoke' | 'renew', seconds: number): void;
}
