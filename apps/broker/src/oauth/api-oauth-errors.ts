import { applyDecorators } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { OAuthErrorSchema } from './oauth.schemas.js';

const MEANINGS: Readonly<Record<number, string>> = {
  400: '`invalid_request`: the form lacks the token, or has a field that is unknown or named twice',
  401: '`invalid_client`: no identity was proven, or it was refused; for a proven token, the description says why',
  403: '`unauthorized_client`: the caller may not use this endpoint',
  413: '`invalid_request`: the form is too large',
  415: '`invalid_request`: send a form',
  500: '`server_error`: a fault of the service',
  503: '`temporarily_unavailable`: the state of the token cannot be read or changed now; try again after `Retry-After`',
};

/** Adds the errors of OAuth endpoints (RFC 6749 §5.2) to the OpenAPI document. */
export function ApiOAuthErrors() {
  return applyDecorators(
    ...Object.entries(MEANINGS).map(([status, description]) =>
      ApiResponse({ status: Number(status), description, standardSchema: OAuthErrorSchema }),
    ),
  );
}
