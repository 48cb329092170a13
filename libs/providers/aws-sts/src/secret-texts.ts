/** Matches ids of access keys, long-lived and temporary (IAM User Guide, "IAM identifiers"). */
export const AWS_REDACTION: readonly RegExp[] = [/(?:AKIA|ASIA)[A-Z0-9]{16}/g];
