/** Matches service, batch and recovery tokens of Vault, and the older form, which OpenBao kept. */
export const VAULT_REDACTION: readonly RegExp[] = [/hv[sbr]\.[\w-]{16,}/g, /s\.[A-Za-z0-9]{24,}/g];
