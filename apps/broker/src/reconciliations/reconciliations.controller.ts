import { answerPage, ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { JsonObject, ReconciliationId } from '@mayfly/kernel';
import { Reconciliations, reconciliationView } from '@mayfly/revocation';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiAcceptedResponse, ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  ReconciliationIdSchema,
  ReconciliationSchema,
  type ReconciliationsQuery,
  ReconciliationsQuerySchema,
  ReconciliationsSchema,
  type RequestReconciliation,
  RequestReconciliationSchema,
} from './reconciliations.schemas.js';

/** Comparisons of targets with the leases: operators ask for one, operators and auditors read them. */
@ApiTags('reconciliations')
@ApiBearerAuth()
@ApiProblems()
@Controller('reconciliations')
export class ReconciliationsController {
  constructor(private readonly reconciliations: Reconciliations) {}

  @Post()
  @HttpCode(202)
  @Permits(['operator'])
  @ApiOperation({ summary: 'Compare a connection with the leases; while one comparison runs, answers that one' })
  @ApiAcceptedResponse({ standardSchema: ReconciliationSchema })
  request(
    @Caller() caller: Principal,
    @Body({ schema: RequestReconciliationSchema }) { connection }: RequestReconciliation,
  ): Promise<JsonObject> {
    return this.reconciliations.request(caller, connection);
  }

  @Get()
  @Permits(['auditor', 'operator'])
  @ApiOperation({ summary: 'List reconciliations, newest first; of scheduled ones those that found something new' })
  @ApiOkResponse({ standardSchema: ReconciliationsSchema })
  list(
    @Query({ schema: ReconciliationsQuerySchema }) { connection, ...query }: ReconciliationsQuery,
  ): Promise<JsonObject> {
    const form = { position: ReconciliationIdSchema, view: reconciliationView };
    return answerPage(query, form, (page) => this.reconciliations.list({ connection }, page));
  }

  @Get(':id')
  @Permits(['auditor', 'operator'])
  @ApiOperation({ summary: 'Read a reconciliation: its state and its differences' })
  @ApiOkResponse({ standardSchema: ReconciliationSchema })
  view(@Param('id', { schema: ReconciliationIdSchema }) id: ReconciliationId): Promise<JsonObject> {
    return this.reconciliations.find(id);
  }
}
