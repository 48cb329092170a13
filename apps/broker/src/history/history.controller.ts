import type { JsonObject, TaskId } from '@mayfly/kernel';
import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ApiProblems } from '../http/api-problems.js';
import { Permits } from '../security/permits.js';
import { TaskIdSchema } from '../tasks/task.schemas.js';
import {
  EntriesQuerySchema,
  EntriesSchema,
  IssuancesQuerySchema,
  IssuancesSchema,
  RefusalsQuerySchema,
  RefusalsSchema,
  TimelineQuerySchema,
  TimelineSchema,
  type EntriesQuery,
  type IssuancesQuery,
  type RefusalsQuery,
  type TimelineQuery,
} from './history.schemas.js';
import { HistoryService } from './history.service.js';

@ApiTags('history')
@ApiBearerAuth()
@ApiProblems(400, 401, 403, 404, 500, 503)
@Controller()
export class HistoryController {
  constructor(private readonly history: HistoryService) {}

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
