import type { JsonObject } from '@mayfly/kernel';
import { Controller, Get, Header, Inject } from '@nestjs/common';
import { ApiOperation, ApiTags } from '@nestjs/swagger';
import type { Services } from '../boot/services.js';
import { ApiProblems } from '../http/api-problems.js';
import { Permits } from '../security/permits.js';
import { SERVICES } from '../tokens.js';

@ApiTags('service')
@Controller()
export class HealthController {
  constructor(@Inject(SERVICES) private readonly services: Services) {}

  @Get('healthz')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'The process answers' })
  health(): JsonObject {
    return { status: 'ok' };
  }

  @Get('readyz')
  @Permits(['anyone'])
  @ApiOperation({ summary: 'The service can issue: database and signing key are there' })
  @ApiProblems(503)
  async ready(): Promise<JsonObject> {
    await this.services.ready();
    return { status: 'ready' };
  }

  @Get('metrics')
  @Permits(['anyone'])
  @Header('content-type', 'text/plain; version=0.0.4; charset=utf-8')
  @ApiOperation({ summary: 'Prometheus metrics' })
  async metrics(): Promise<string> {
    return (await this.services.metrics.render()).body;
  }
}
