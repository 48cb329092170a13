import { ApiProblems, CallingAgent, Permits } from '@mayfly/http';
import type { AgentPrincipal } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import { Decision, judgeRequester } from '@mayfly/policy';
import { Controller, Get, Inject } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Services } from '../boot/services.js';
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
    const permitted = this.services.catalog.templates
      .map(({ version }) => version)
      .filter(({ name, version, spec }) => {
        const template = { name, version, requesters: spec.requesters };
        return Decision.of(judgeRequester({ agent, runtime, template })).permitted;
      });
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
