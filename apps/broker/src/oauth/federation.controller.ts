import { ApiProblems, Permits } from '@mayfly/http';
import type { JsonObject } from '@mayfly/kernel';
import type { Services } from '@mayfly/service';
import type { KeyRing } from '@mayfly/trust';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { SERVICES } from '../tokens.js';
import { openIdConfiguration } from './metadata.view.js';
import { JwksSchema, OpenIdConfigurationSchema } from './oauth.schemas.js';

/**
 * OpenID Provider metadata (OpenID Connect Discovery 1.0 §4) and keys (RFC 7517 §5) for targets that trust Mayfly.
 * Agents never get the tokens of these keys.
 */
@ApiTags('oauth')
@ApiProblems(500, 503)
@Controller('federation')
export class FederationController {
  constructor(@Inject(SERVICES) private readonly services: Pick<Services, 'federationKeys' | 'federationTokens'>) {}

  @Get('.well-known/openid-configuration')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'OpenID Provider metadata for targets (OpenID Connect Discovery)' })
  @ApiOkResponse({ standardSchema: OpenIdConfigurationSchema })
  configuration(): JsonObject {
    const { federationKeys, federationTokens } = this.services;
    return openIdConfiguration(federationTokens.issuer, federationKeys.options.algorithm);
  }

  @Get('jwks.json')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'Public keys for the tokens that Mayfly sends to targets (RFC 7517)' })
  @ApiOkResponse({ standardSchema: JwksSchema })
  jwks(@Res({ passthrough: true }) reply: FastifyReply): ReturnType<KeyRing['jwks']> {
    const { federationKeys } = this.services;
    const jwks = federationKeys.jwks();
    // A longer cache would let a new key sign before every verifier has it.
    reply.header('cache-control', `public, max-age=${String(federationKeys.options.cacheSeconds)}`);
    return jwks;
  }
}
