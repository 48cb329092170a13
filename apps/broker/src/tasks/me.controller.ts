import { ApiProblems, CallingAgent, Permits } from '@mayfly/http';
import type { AgentPrincipal } from '@mayfly/identity';
import { permittedTemplates } from '@mayfly/declarations';
import type { JsonObject } from '@mayfly/kernel';
import type { Services } from '@mayfly/service';
import { Controller, Get, Inject } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { SERVICES } from '../tokens.js';
import { MeSchema } from './me.schema.js';

@ApiTags('tasks')
@ApiBearerAuth()
@ApiProblems()
@Controller('me')
export class MeController {
  constructor(@Inject(SERVICES) private readonly services: Pick<Services, 'catalog'>) {}

  @Get()
  @Permits(['agent'])
  @ApiOperation({ summary: 'Read the calling agent and the templates that it may use in its runtime' })
  @ApiOkResponse({ standardSchema: MeSchema })
  me(@CallingAgent() { agent, runtime, identity }: AgentPrincipal): JsonObject {
    const permitted = permittedTemplates(this.services.catalog.templates, { agent, runtime });
    return {
      agent: { id: agent.id, name: agent.name, state: agent.state, labels: agent.labels },
      runtime,
      identity: { issuer: identity.issuer, subject: identity.subject, expiresAt: identity.expiresAt.toISOString() },
      templates: permitted.map(({ name, version, spec }) => ({
        name,
        version,
        description: spec.description,
        parameters: spec.parameters,
        lifetime: spec.lifetime,
        quota: spec.quota,
        credentials: spec.credentials.map((credential) => ({ name: credential.name, provider: credential.provider })),
      })),
    };
  }
}
