/** Ids of access keys and of sessions (IAM User Guide, "IAM identifiers"). */
export const AWS_REDACTION: readonly RegExp[] = [/(?:AKIA|ASIA)[A-Z0-9]{16}/g];
