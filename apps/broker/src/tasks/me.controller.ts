import { ApiProblems, CallingAgent, Permits } from '@mayfly/http';
import type { AgentPrincipal } from '@mayfly/identity';
import { Catalog, permittedTemplates } from '@mayfly/declarations';
import type { JsonObject } from '@mayfly/kernel';
import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { MeSchema } from './me.schema.js';
import { meView } from './me.view.js';

/** The view that an agent has of itself. */
@ApiTags('tasks')
@ApiBearerAuth()
@ApiProblems()
@Controller('me')
export class MeController {
  constructor(private readonly catalog: Catalog) {}

  @Get()
  @Permits(['agent'])
  @ApiOperation({ summary: 'Read the calling agent and the templates that it may use in its runtime' })
  @ApiOkResponse({ standardSchema: MeSchema })
  me(@CallingAgent() principal: AgentPrincipal): JsonObject {
    return meView(principal, permittedTemplates(this.catalog.templates, principal));
  }
}
