import { Changes, declarerOf } from '@mayfly/declarations';
import { ApiProblems, Caller, Permits, RefusalRecorder } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { ChangeId, JsonObject } from '@mayfly/kernel';
import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import {
  type Approve,
  ApproveSchema,
  ChangeDetailSchema,
  ChangeIdSchema,
  type ChangesQuery,
  ChangesQuerySchema,
  ChangesSchema,
  type Refuse,
  RefuseSchema,
} from './changes.schemas.js';

/** Changes of documents that wait for a second person (docs/changes.md). */
@ApiTags('changes')
@ApiBearerAuth()
@ApiProblems()
@Controller('changes')
export class ChangesController {
  constructor(
    private readonly changes: Changes,
    private readonly refusals: RefusalRecorder,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'approver', 'auditor'])
  @ApiOperation({ summary: 'List changes, the newest first' })
  @ApiOkResponse({ standardSchema: ChangesSchema })
  list(@Query({ schema: ChangesQuerySchema }) query: ChangesQuery): Promise<JsonObject> {
    return this.changes.list(query);
  }

  @Get(':id')
  @Permits(['platform', 'operator', 'approver', 'auditor'])
  @ApiOperation({ summary: 'Read a change: what is in force, what is asked, and the differences' })
  @ApiOkResponse({ standardSchema: ChangeDetailSchema })
  view(@Param('id', { schema: ChangeIdSchema }) id: ChangeId): Promise<JsonObject> {
    return this.changes.view(id);
  }

  @Post(':id/approve')
  @HttpCode(200)
  @Permits(['platform', 'operator', 'approver'])
  @ApiOperation({
    summary: 'Approve a change of another person; it takes effect at once',
    description:
      'Answers 412 and closes the change when the document has moved on since the change was written. Operators approve steps only.',
  })
  @ApiOkResponse({ standardSchema: ChangeDetailSchema })
  @ApiProblems(412)
  approve(
    @Caller() caller: Principal,
    @Param('id', { schema: ChangeIdSchema }) id: ChangeId,
    @Body({ schema: ApproveSchema.default({}) }) { reason }: Approve,
  ): Promise<JsonObject> {
    return this.refusals.watching(caller, 'POST /changes/:id/approve', () =>
      this.changes.approve(id, reason, declarerOf(caller)),
    );
  }

  @Post(':id/refuse')
  @HttpCode(200)
  @Permits(['platform', 'operator', 'approver'])
  @ApiOperation({ summary: 'Refuse a change of another person' })
  @ApiOkResponse({ standardSchema: ChangeDetailSchema })
  refuse(
    @Caller() caller: Principal,
    @Param('id', { schema: ChangeIdSchema }) id: ChangeId,
    @Body({ schema: RefuseSchema }) { reason }: Refuse,
  ): Promise<JsonObject> {
    return this.refusals.watching(caller, 'POST /changes/:id/refuse', () =>
      this.changes.refuse(id, reason, declarerOf(caller)),
    );
  }
}
