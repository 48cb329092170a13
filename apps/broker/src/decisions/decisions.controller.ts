import { ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import { ControlTraces, Decisions } from '@mayfly/issuance';
import type { DecisionId, JsonObject, TaskId } from '@mayfly/kernel';
import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { TaskIdSchema } from '../tasks/task.schemas.js';
import {
  ControlTraceSchema,
  DecisionIdSchema,
  DecisionSchema,
  ReplaySchema,
  type WhatIf,
  WhatIfAnswerSchema,
  WhatIfSchema,
} from './decisions.schemas.js';

/** Decisions: which control decided, on which inputs, and what would have changed it. */
@ApiTags('decisions')
@ApiBearerAuth()
@ApiProblems(400, 401, 403, 404, 409, 500, 503)
@Controller()
export class DecisionsController {
  constructor(
    private readonly decisions: Decisions,
    private readonly traces: ControlTraces,
  ) {}

  @Get('decisions/:id')
  @Permits(['agent', 'auditor', 'operator', 'platform'])
  @ApiOperation({ summary: 'Read a decision with its inputs; an agent reads its own' })
  @ApiOkResponse({ standardSchema: DecisionSchema })
  view(@Caller() caller: Principal, @Param('id', { schema: DecisionIdSchema }) id: DecisionId): Promise<JsonObject> {
    return this.decisions.view(caller, id);
  }

  @Post('decisions/:id/replay')
  @HttpCode(200)
  @Permits(['auditor', 'operator', 'platform'])
  @ApiOperation({ summary: 'Make a decision again from its stored inputs, and compare the bytes' })
  @ApiOkResponse({ standardSchema: ReplaySchema })
  replay(@Param('id', { schema: DecisionIdSchema }) id: DecisionId): Promise<JsonObject> {
    return this.decisions.replay(id);
  }

  @Post('decisions/:id/what-if')
  @HttpCode(200)
  @Permits(['auditor', 'operator', 'platform'])
  @ApiOperation({ summary: 'Make a decision from its inputs with one change; stores nothing' })
  @ApiOkResponse({ standardSchema: WhatIfAnswerSchema })
  whatIf(
    @Param('id', { schema: DecisionIdSchema }) id: DecisionId,
    @Body({ schema: WhatIfSchema }) change: WhatIf,
  ): Promise<JsonObject> {
    return this.decisions.whatIf(id, change);
  }

  @Get('tasks/:id/control-trace')
  @Permits(['auditor', 'operator', 'platform'])
  @ApiOperation({
    summary: 'Read the controls over the whole life of a task: which failed, and which should have stopped it',
  })
  @ApiOkResponse({ standardSchema: ControlTraceSchema })
  trace(@Param('id', { schema: TaskIdSchema }) id: TaskId): Promise<JsonObject> {
    return this.traces.of(id);
  }
}
