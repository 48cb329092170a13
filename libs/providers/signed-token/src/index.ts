export { checkSignedToken } from './signed-token.check.js';
export { SignedTokenProvider } from './signed-token.provider.js';
export { type SignedTokenConfig, type SignedTokenHandle, type SignedTokenScope } from './signed-token.schemas.js';
