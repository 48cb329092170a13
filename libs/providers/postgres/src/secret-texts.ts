/** What a server keeps of a password (RFC 5803): enough to try passwords against. */
export const POSTGRES_REDACTION: readonly RegExp[] = [/SCRAM-SHA-256\$[^\s"\\]+/g];
