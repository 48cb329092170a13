import { ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { JsonObject } from '@mayfly/kernel';
import { QuarantineDesk } from '@mayfly/revocation';
import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type ConfirmQuarantine, ConfirmQuarantineSchema, QuarantineSchema } from './quarantine.schemas.js';

/** The quarantine of a database that is older than what the installation has seen: operators and auditors read it. */
@ApiTags('quarantine')
@ApiBearerAuth()
@ApiProblems()
@Controller('quarantine')
export class QuarantineController {
  constructor(private readonly desk: QuarantineDesk) {}

  @Get()
  @Permits(['auditor', 'operator'])
  @ApiOperation({ summary: 'Read whether the service is in quarantine, why, and what differs at the targets' })
  @ApiOkResponse({ standardSchema: QuarantineSchema })
  view(): Promise<JsonObject> {
    return this.desk.view();
  }

  @Post('confirm')
  @HttpCode(200)
  @Permits(['operator'])
  @ApiOperation({
    summary: 'End the quarantine: issue again, and end the objects that carry the mark of this installation',
  })
  @ApiOkResponse({ standardSchema: QuarantineSchema })
  confirm(
    @Caller() caller: Principal,
    @Body({ schema: ConfirmQuarantineSchema }) { reason }: ConfirmQuarantine,
  ): Promise<JsonObject> {
    return this.desk.confirm(caller, reason);
  }
}
