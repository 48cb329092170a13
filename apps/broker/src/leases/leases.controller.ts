import { History } from '@mayfly/evidence';
import { ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { JsonObject, LeaseId } from '@mayfly/kernel';
import { LeaseAbandonment } from '@mayfly/revocation';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  AbandonedLeaseSchema,
  type AbandonLease,
  AbandonLeaseSchema,
  LeaseIdSchema,
  type LeasesQuery,
  LeasesQuerySchema,
  OverdueLeasesSchema,
} from './leases.schemas.js';

/** The leases that should be dead and are not proven dead: operators and auditors list them, operators abandon one. */
@ApiTags('leases')
@ApiBearerAuth()
@ApiProblems()
@Controller('leases')
export class LeasesController {
  constructor(
    private readonly history: History,
    private readonly abandonment: LeaseAbandonment,
  ) {}

  @Get()
  @Permits(['auditor', 'operator'])
  @ApiOperation({ summary: 'List leases that should be dead and are not proven dead, longest overdue first' })
  @ApiOkResponse({ standardSchema: OverdueLeasesSchema })
  list(@Query({ schema: LeasesQuerySchema }) { overdue: _, ...query }: LeasesQuery): Promise<JsonObject> {
    return this.history.overdue({ ...query, abandoned: query.abandoned === 'true' });
  }

  @Post(':id/abandon')
  @HttpCode(200)
  @Permits(['operator'])
  @ApiOperation({ summary: 'Give up on a lease whose revocation cannot be proven; it never becomes `revoked`' })
  @ApiOkResponse({ standardSchema: AbandonedLeaseSchema })
  abandon(
    @Caller() caller: Principal,
    @Param('id', { schema: LeaseIdSchema }) id: LeaseId,
    @Body({ schema: AbandonLeaseSchema }) { reason }: AbandonLease,
  ): Promise<JsonObject> {
    return this.abandonment.abandon(caller, id, reason);
  }
}
