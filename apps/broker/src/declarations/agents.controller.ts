import { AgentLifecycle, type DeclaredRecord, declarerOf, Declarations } from '@mayfly/declarations';
import {
  ApiProblems,
  Caller,
  mustMatchOrBeNew,
  type PageQuery,
  PageQuerySchema,
  Permits,
  RefusalRecorder,
  type RequestHeaders,
} from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { Json, JsonObject } from '@mayfly/kernel';
import { Body, Controller, Get, Headers, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiTags } from '@nestjs/swagger';
import { declaredRoutes, Name } from './declared-routes.js';
import { AgentPageSchema, AgentViewSchema, type AnsweredRecord, declaredPage, RECORD_FORM } from './declared.view.js';

const agentRoutes = declaredRoutes({
  ...{ kind: 'Agent', path: 'agents', form: RECORD_FORM },
  ...{ view: AgentViewSchema, page: AgentPageSchema },
});

/** Agents: their documents, for platform teams, and the steps of their lifecycle. */
@ApiTags('agents')
@ApiBearerAuth()
@ApiProblems()
@Controller('agents')
export class AgentsController {
  constructor(
    private readonly declarations: Declarations,
    private readonly lifecycle: AgentLifecycle,
    private readonly refusals: RefusalRecorder,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor'])
  @agentRoutes.list('List agents, sorted by name')
  list(@Query({ schema: PageQuerySchema }) query: PageQuery): Promise<JsonObject> {
    return declaredPage(query, (page) => this.declarations.list('Agent', page));
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @agentRoutes.read('Read an agent with its identities and state')
  view(@Name() name: string): Promise<DeclaredRecord> {
    return this.declarations.find('Agent', name);
  }

  @Post()
  @Permits(['platform'])
  @agentRoutes.create('Register an agent; it gets no task before it is activated')
  create(@Caller() caller: Principal, @Body() body: Json): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /agents', () =>
      this.declarations.create('Agent', body, declarerOf(caller)),
    );
  }

  @Put(':name')
  @Permits(['platform'])
  @agentRoutes.put('Replace an agent, or create it with `If-None-Match: *`')
  replace(
    @Caller() caller: Principal,
    @Name() name: string,
    @Body() body: Json,
    @Headers() headers: RequestHeaders,
  ): Promise<AnsweredRecord> {
    const precondition = mustMatchOrBeNew(headers);
    return this.refusals.watching(caller, 'PUT /agents/:name', () =>
      this.declarations.put('Agent', name, body, precondition, declarerOf(caller)),
    );
  }

  @Post(':name/activate')
  @Permits(['platform', 'operator'])
  @agentRoutes.lift('Activate a registered or suspended agent')
  activate(@Caller() caller: Principal, @Name() name: string): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /agents/:name/activate', () =>
      this.lifecycle.take('activate', name, declarerOf(caller)),
    );
  }

  @Post(':name/suspend')
  @Permits(['platform', 'operator'])
  @agentRoutes.step('Suspend an agent: ends its tasks and revokes its credentials')
  suspend(@Caller() caller: Principal, @Name() name: string): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /agents/:name/suspend', () =>
      this.lifecycle.take('suspend', name, declarerOf(caller)),
    );
  }

  @Post(':name/retire')
  @Permits(['platform', 'operator'])
  @agentRoutes.step('Retire an agent permanently: ends its tasks; its name stays taken')
  retire(@Caller() caller: Principal, @Name() name: string): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /agents/:name/retire', () =>
      this.lifecycle.take('retire', name, declarerOf(caller)),
    );
  }
}
