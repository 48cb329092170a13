import { AccessTokens } from '@mayfly/enforcement';
import { Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiConsumes, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiOAuthErrors } from './api-oauth-errors.js';
import {
  type IntrospectionForm,
  IntrospectionFormSchema,
  IntrospectionSchema,
  type TokenForm,
  TokenFormSchema,
} from './oauth.schemas.js';

/** OAuth endpoints for the access tokens of agents: introspection (RFC 7662 §2) and revocation (RFC 7009 §2). */
@ApiTags('oauth')
@ApiBearerAuth()
@ApiOAuthErrors()
@Controller('oauth')
export class OAuthController {
  constructor(private readonly tokens: AccessTokens) {}

  @Post('introspect')
  @HttpCode(200)
  @Permits(['workload', 'agent', 'operator', 'auditor'])
  @Header('cache-control', 'no-store')
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiOperation({
    summary: 'Introspect a token (RFC 7662)',
    description:
      'For resource servers of the token’s audience, the agent that it was issued to, operators and auditors. All other callers get `active: false` and nothing more.',
  })
  @ApiOkResponse({ standardSchema: IntrospectionSchema })
  introspect(
    @Caller() caller: Principal,
    @Body({ schema: IntrospectionFormSchema }) { token, consume }: IntrospectionForm,
  ): Promise<JsonObject> {
    return this.tokens.introspect(caller, token, consume === '1');
  }

  @Post('revoke')
  @HttpCode(200)
  @Permits(['authenticated'])
  @Header('cache-control', 'no-store')
  @ApiConsumes('application/x-www-form-urlencoded')
  @ApiOperation({
    summary: 'Revoke a token and its whole task (RFC 7009)',
    description:
      'For the agent that the token was issued to, and operators. A credential lives as long as its task: the task ends with cause `revoked`, and all of its credentials are revoked. An unknown token and a token of another agent change nothing and get the same answer.',
  })
  @ApiOkResponse({ description: 'the token is revoked, or was not active, or is not the caller’s' })
  async revoke(@Caller() caller: Principal, @Body({ schema: TokenFormSchema }) { token }: TokenForm): Promise<void> {
    await this.tokens.revoke(caller, token);
  }
}
