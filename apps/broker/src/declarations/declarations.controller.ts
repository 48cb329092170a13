import type { JsonObject } from '@mayfly/kernel';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { Caller } from '../security/caller.js';
import { Permits } from '../security/permits.js';
import type { Principal } from '../security/principal.js';
import { CheckRunSchema, DeclarationCheckSchema, type CheckRun } from './declaration-check.schema.js';
import { DeclarationChecks } from './declaration-checks.service.js';

@ApiTags('declarations')
@ApiBearerAuth()
@ApiProblems()
@Controller('declarations')
export class DeclarationsController {
  constructor(private readonly checks: DeclarationChecks) {}

  @Post('check')
  @HttpCode(200)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Check what applying documents would do; nothing is saved' })
  @ApiOkResponse({ standardSchema: DeclarationCheckSchema })
  check(@Caller() caller: Principal, @Body({ schema: CheckRunSchema }) run: CheckRun): Promise<JsonObject> {
    return this.checks.check(run, caller);
  }
}
