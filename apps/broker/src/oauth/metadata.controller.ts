import { ApiProblems, Permits } from '@mayfly/http';
import type { JsonObject } from '@mayfly/kernel';
import type { Services } from '@mayfly/service';
import type { KeyRing } from '@mayfly/trust';
import { Controller, Get, Inject, Res } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import type { RouteChoice } from '../config.js';
import { ROUTE_CHOICE, SERVICES } from '../tokens.js';
import { serverMetadata } from './metadata.view.js';
import { JwksSchema, MetadataSchema } from './oauth.schemas.js';

/** Metadata (RFC 8414 §3) and keys (RFC 7517 §5) that resource servers read to verify access tokens. */
@ApiTags('oauth')
@ApiProblems(500, 503)
@Controller('.well-known')
export class MetadataController {
  constructor(
    @Inject(SERVICES) private readonly services: Pick<Services, 'keyRing' | 'publicUrl'>,
    @Inject(ROUTE_CHOICE) private readonly choice: RouteChoice,
  ) {}

  @Get('jwks.json')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'Public keys for access tokens (RFC 7517)' })
  @ApiOkResponse({ standardSchema: JwksSchema })
  jwks(@Res({ passthrough: true }) reply: FastifyReply): ReturnType<KeyRing['jwks']> {
    const { keyRing } = this.services;
    const jwks = keyRing.jwks();
    // A longer cache would let a new key sign before every verifier has it.
    reply.header('cache-control', `public, max-age=${String(keyRing.options.cacheSeconds)}`);
    return jwks;
  }

  @Get('oauth-authorization-server')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'Authorization server metadata (RFC 8414)' })
  @ApiOkResponse({ standardSchema: MetadataSchema })
  metadata(): JsonObject {
    return serverMetadata(this.services.publicUrl, this.choice.docs);
  }
}
