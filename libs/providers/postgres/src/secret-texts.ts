/** Matches the SCRAM verifier of a password (RFC 5803): with it, passwords can be tried offline. */
export const POSTGRES_REDACTION: readonly RegExp[] = [/SCRAM-SHA-256\$[^\s"\\]+/g];
