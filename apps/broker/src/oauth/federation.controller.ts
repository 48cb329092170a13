import type { JsonObject } from '@mayfly/kernel';
import type { KeyRing } from '@mayfly/trust';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { Services } from '../boot/services.js';
import { ApiProblems } from '../http/api-problems.js';
import { Permits } from '../security/permits.js';
import { SERVICES } from '../tokens.js';
import { JwksSchema, OpenIdConfigurationSchema } from './oauth.schemas.js';

/** What targets read that trust Mayfly as an OpenID Provider: its tokens for them, and never those that agents get. */
@ApiTags('oauth')
@ApiProblems(500, 503)
@Controller('federation')
export class FederationController {
  constructor(@Inject(SERVICES) private readonly services: Pick<Services, 'federationKeys' | 'federationTokens'>) {}

  @Get('.well-known/openid-configuration')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'How targets check that it is Mayfly (OpenID Connect Discovery)' })
  @ApiOkResponse({ standardSchema: OpenIdConfigurationSchema })
  configuration(): JsonObject {
    const { federationKeys, federationTokens } = this.services;
    return {
      issuer: federationTokens.issuer,
      jwks_uri: `${federationTokens.issuer}/jwks.json`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: [federationKeys.options.algorithm],
      claims_supported: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
    };
  }

  @Get('jwks.json')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'The keys that tokens for targets verify with (RFC 7517)' })
  @ApiOkResponse({ standardSchema: JwksSchema })
  jwks(@Res({ passthrough: true }) reply: FastifyReply): ReturnType<KeyRing['jwks']> {
    const { federationKeys } = this.services;
    const jwks = federationKeys.jwks();
    // No longer than this, or a key could sign before every verifier has seen it.
    reply.header('cache-control', `public, max-age=${String(federationKeys.options.cacheSeconds)}`);
    return jwks;
  }
}
