import { ConnectionLifecycle, type DeclaredRecord, declarerOf, Declarations } from '@mayfly/declarations';
import {
  ApiProblems,
  Caller,
  mustMatch,
  mustMatchOrBeNew,
  type PageQuery,
  PageQuerySchema,
  Permits,
  RefusalRecorder,
  type RequestHeaders,
} from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import type { Json, JsonObject } from '@mayfly/kernel';
import { Body, Controller, Delete, Get, Headers, HttpCode, Post, Put, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { ConnectionTestSchema } from './connection-test.schema.js';
import { declaredRoutes, Name } from './declared-routes.js';
import { type AnsweredRecord, declaredPage, RECORD_FORM, RecordPageSchema, RecordViewSchema } from './declared.view.js';

const connectionRoutes = declaredRoutes({
  ...{ kind: 'Connection', path: 'connections', form: RECORD_FORM },
  ...{ view: RecordViewSchema, page: RecordPageSchema },
});

/** Connections: their documents, their tests and their state, for platform teams and operators. */
@ApiTags('connections')
@ApiBearerAuth()
@ApiProblems()
@Controller('connections')
export class ConnectionsController {
  constructor(
    private readonly declarations: Declarations,
    private readonly lifecycle: ConnectionLifecycle,
    private readonly refusals: RefusalRecorder,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor'])
  @connectionRoutes.list('List connections, sorted by name')
  list(@Query({ schema: PageQuerySchema }) query: PageQuery): Promise<JsonObject> {
    return declaredPage(query, (page) => this.declarations.list('Connection', page));
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor'])
  @connectionRoutes.read('Read a connection; it shows secrets as references')
  view(@Name() name: string): Promise<DeclaredRecord> {
    return this.declarations.find('Connection', name);
  }

  @Post()
  @Permits(['platform'])
  @connectionRoutes.create('Declare a connection')
  create(@Caller() caller: Principal, @Body() body: Json): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /connections', () =>
      this.declarations.create('Connection', body, declarerOf(caller)),
    );
  }

  @Put(':name')
  @Permits(['platform'])
  @connectionRoutes.put('Replace a connection, or create it with `If-None-Match: *`')
  replace(
    @Caller() caller: Principal,
    @Name() name: string,
    @Body() body: Json,
    @Headers() headers: RequestHeaders,
  ): Promise<AnsweredRecord> {
    const precondition = mustMatchOrBeNew(headers);
    return this.refusals.watching(caller, 'PUT /connections/:name', () =>
      this.declarations.put('Connection', name, body, precondition, declarerOf(caller)),
    );
  }

  @Post(':name/test')
  @HttpCode(200)
  @Permits(['platform', 'operator'])
  @ApiOperation({
    summary: 'Test a connection with the least harm: reports missing rights and the clock difference',
  })
  @ApiOkResponse({ standardSchema: ConnectionTestSchema })
  async test(@Caller() caller: Principal, @Name() name: string): Promise<JsonObject> {
    const { ok, checks, ...measured } = await this.lifecycle.test(name, declarerOf(caller));
    return { connection: name, ok, checks: checks.map((check) => ({ ...check })), ...measured };
  }

  @Post(':name/disable')
  @Permits(['platform', 'operator'])
  @connectionRoutes.step('Disable a connection: it mints and renews nothing; revocations continue')
  disable(@Caller() caller: Principal, @Name() name: string): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /connections/:name/disable', () =>
      this.lifecycle.move(name, 'disabled', declarerOf(caller)),
    );
  }

  @Post(':name/enable')
  @Permits(['platform', 'operator'])
  @connectionRoutes.lift('Enable a disabled connection')
  enable(@Caller() caller: Principal, @Name() name: string): Promise<AnsweredRecord> {
    return this.refusals.watching(caller, 'POST /connections/:name/enable', () =>
      this.lifecycle.move(name, 'enabled', declarerOf(caller)),
    );
  }

  @Delete(':name')
  @Permits(['platform'])
  @connectionRoutes.remove(
    'Delete a connection; refused while templates or live leases use it',
    'the connection is deleted',
  )
  remove(@Caller() caller: Principal, @Name() name: string, @Headers() headers: RequestHeaders): Promise<void> {
    const precondition = mustMatch(headers);
    return this.refusals.watching(caller, 'DELETE /connections/:name', () =>
      this.declarations.remove('Connection', name, precondition, declarerOf(caller)),
    );
  }
}
