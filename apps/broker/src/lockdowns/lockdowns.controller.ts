import { ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { JsonObject, LockdownId } from '@mayfly/kernel';
import { Lockdowns } from '@mayfly/revocation';
import { Body, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import {
  ApiAcceptedResponse,
  ApiBearerAuth,
  ApiCreatedResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
} from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import {
  type Engage,
  type EngageQuery,
  EngageQuerySchema,
  EngageSchema,
  LockdownIdSchema,
  NotEngagedSchema,
  LockdownSchema,
  type LockdownsQuery,
  LockdownsQuerySchema,
  LockdownsSchema,
  type Release,
  ReleaseSchema,
  scopeOf,
} from './lockdowns.schemas.js';

/** Lockdowns: one operator engages, two release; auditors read. */
@ApiTags('lockdowns')
@ApiBearerAuth()
@ApiProblems()
@Controller('lockdowns')
export class LockdownsController {
  constructor(private readonly lockdowns: Lockdowns) {}

  @Post()
  @Permits(['operator'])
  @ApiOperation({
    summary: 'Engage a lockdown: deny everything under a scope, and end its tasks',
    description:
      'Answers 201 when every replica denies: no later grant, renewal or introspection passes. The credentials are revoked meanwhile; `progress` shows how many are proven dead. A lockdown of the same scope that is in force is returned with 200. A dry run answers 200 with what would end.',
  })
  @ApiCreatedResponse({ standardSchema: LockdownSchema })
  @ApiOkResponse({ standardSchema: NotEngagedSchema })
  async engage(
    @Caller() caller: Principal,
    @Body({ schema: EngageSchema }) { scope, reason }: Engage,
    @Query({ schema: EngageQuerySchema }) { dryRun }: EngageQuery,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    if (dryRun === 'true') {
      void reply.code(200);
      return this.lockdowns.preview(caller, scopeOf(scope));
    }
    const { body, isDone } = await this.lockdowns.engage(caller, scopeOf(scope), reason);
    void reply.code(isDone ? 201 : 200).header('location', `/lockdowns/${body.id as LockdownId}`);
    return body;
  }

  @Get()
  @Permits(['operator', 'auditor'])
  @ApiOperation({ summary: 'List lockdowns, the newest first' })
  @ApiOkResponse({ standardSchema: LockdownsSchema })
  list(@Query({ schema: LockdownsQuerySchema }) { inForce, ...query }: LockdownsQuery): Promise<JsonObject> {
    return this.lockdowns.list({ ...query, inForce: inForce === 'true' });
  }

  @Get(':id')
  @Permits(['operator', 'auditor'])
  @ApiOperation({ summary: 'Read a lockdown and its progress' })
  @ApiOkResponse({ standardSchema: LockdownSchema })
  view(@Param('id', { schema: LockdownIdSchema }) id: LockdownId): Promise<JsonObject> {
    return this.lockdowns.view(id);
  }

  @Post(':id/release')
  @HttpCode(200)
  @Permits(['operator'])
  @ApiOperation({
    summary: 'Release a lockdown: one operator asks, another one releases',
    description:
      'The first call answers 202, and the lockdown still denies. The call of another operator releases it and answers 200.',
  })
  @ApiAcceptedResponse({ standardSchema: LockdownSchema, description: 'asked for; the lockdown still denies' })
  @ApiOkResponse({ standardSchema: LockdownSchema })
  async release(
    @Caller() caller: Principal,
    @Param('id', { schema: LockdownIdSchema }) id: LockdownId,
    @Body({ schema: ReleaseSchema }) { reason }: Release,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const { body, isDone } = await this.lockdowns.release(caller, id, reason);
    void reply.code(isDone ? 200 : 202);
    return body;
  }
}
