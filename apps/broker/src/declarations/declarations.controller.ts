import { DeclarationChecks } from '@mayfly/declarations';
import type { JsonObject } from '@mayfly/kernel';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { Caller } from '../security/caller.js';
import { Permits } from '../security/permits.js';
import { declarerOf, type Principal } from '../security/principal.js';
import { CheckRunSchema, DeclarationCheckSchema, type CheckRun } from './declaration-check.schema.js';
import { predictedView } from './predicted.view.js';

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
  async check(@Caller() caller: Principal, @Body({ schema: CheckRunSchema }) run: CheckRun): Promise<JsonObject> {
    return predictedView(await this.checks.check(run, declarerOf(caller)));
  }
}
