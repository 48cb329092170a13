import { ApiProblems, Permits } from '@mayfly/http';
import type { JsonObject } from '@mayfly/kernel';
import type { Services } from '@mayfly/service';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, ApiProduces, ApiTags } from '@nestjs/swagger';
import { z } from 'zod';
import { SERVICES } from '../tokens.js';

const HealthSchema = z.strictObject({ status: z.literal('ok') });
const ReadinessSchema = z.strictObject({
  status: z.enum(['ready', 'quarantined']).meta({
    description:
      '`quarantined`: the service answers and ends tasks, and issues nothing until an operator confirms the database',
  }),
});

/** Health, readiness and metrics for the platform on which the service runs. They name no task and no agent. */
@ApiTags('service')
@Controller()
export class HealthController {
  constructor(@Inject(SERVICES) private readonly services: Services) {}

  @Get('healthz')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'Check that the process answers' })
  @ApiOkResponse({ standardSchema: HealthSchema })
  health(): JsonObject {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Permits(['anyone'])
  @ApiOperation({
    summary: 'Check readiness: the database takes writes, the declarations are fresh, and there is a signing key',
    description:
      'The broker reuses an answer for one second. The `reason` of a 503 says why the database takes no writes, or `declarations-unread`.',
  })
  @ApiOkResponse({ standardSchema: ReadinessSchema })
  @ApiProblems(503)
  async ready(): Promise<JsonObject> {
    const { isQuarantined } = await this.services.ready();
    return { status: isQuarantined ? 'quarantined' : 'ready' };
  }

  @Get('metrics')
  @Permits(['anyone'])
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @ApiOperation({ summary: 'Prometheus metrics' })
  @ApiProduces('text/plain')
  @ApiOkResponse({ schema: { type: 'string' } })
  async metrics(): Promise<string> {
    return (await this.services.metrics.render()).body;
  }
}
