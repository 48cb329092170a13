import { DeclarationChecks, declarerOf } from '@mayfly/declarations';
import { ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type CheckRun, CheckRunSchema, DeclarationCheckSchema } from './declaration-check.schema.js';
import { predictedView } from './predicted.view.js';

/** The check of a run of documents, as `mayfly apply --dry-run` asks for it. Writes nothing. */
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
