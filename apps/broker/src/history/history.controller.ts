import { History } from '@mayfly/evidence';
import { ApiProblems, Permits } from '@mayfly/http';
import type { JsonObject, TaskId } from '@mayfly/kernel';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { TaskIdSchema } from '../tasks/task.schemas.js';
import {
  type EntriesQuery,
  EntriesQuerySchema,
  EntriesSchema,
  type IssuancesQuery,
  IssuancesQuerySchema,
  IssuancesSchema,
  type RefusalsQuery,
  RefusalsQuerySchema,
  RefusalsSchema,
  type TimelineQuery,
  TimelineQuerySchema,
  TimelineSchema,
} from './history.schemas.js';

/** The history for auditors and operators: issuances, the timeline of a task, refused identities and audit entries. */
@ApiTags('history')
@ApiBearerAuth()
@ApiProblems(400, 401, 403, 404, 500, 503)
@Controller()
export class HistoryController {
  constructor(private readonly history: History) {}

  @Get('issuances')
  @Permits(['auditor', 'operator'])
  @ApiOperation({ summary: 'List issuances, one item per lease, newest first' })
  @ApiOkResponse({ standardSchema: IssuancesSchema })
  issuances(@Query({ schema: IssuancesQuerySchema }) query: IssuancesQuery): Promise<JsonObject> {
    return this.history.issuances(query);
  }

  @Get('tasks/:id/timeline')
  @Permits(['auditor', 'operator'])
  @ApiOperation({ summary: 'Read all audit entries of a task, oldest first' })
  @ApiOkResponse({ standardSchema: TimelineSchema })
  timeline(
    @Param('id', { schema: TaskIdSchema }) id: TaskId,
    @Query({ schema: TimelineQuerySchema }) query: TimelineQuery,
  ): Promise<JsonObject> {
    return this.history.timeline(id, query);
  }

  @Get('refusals')
  @Permits(['platform'])
  @ApiOperation({ summary: 'List refused identities with the reason, newest first' })
  @ApiOkResponse({ standardSchema: RefusalsSchema })
  refusals(@Query({ schema: RefusalsQuerySchema }) query: RefusalsQuery): Promise<JsonObject> {
    return this.history.refusals(query);
  }

  @Get('audit/entries')
  @Permits(['auditor'])
  @ApiOperation({ summary: 'Read the audit entries in their gapless sequence, with the data to verify each leaf hash' })
  @ApiOkResponse({ standardSchema: EntriesSchema })
  entries(@Query({ schema: EntriesQuerySchema }) query: EntriesQuery): Promise<JsonObject> {
    return this.history.entries(query);
  }
}
