import { declarerOf, type StandingTemplate, Templates } from '@mayfly/declarations';
import {
  ApiIfMatch,
  ApiProblems,
  Caller,
  mustMatch,
  type PageQuery,
  PageQuerySchema,
  Permits,
  RefusalRecorder,
  sendEtag,
} from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import { type Json, type JsonObject, NameSchema, pageView, positionOf } from '@mayfly/kernel';
import { Body, Controller, Get, Headers, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { ApiDocument } from '../declarations/declared.view.js';
import {
  FindingsSchema,
  findingsView,
  standingView,
  TemplatePageSchema,
  templateView,
  TemplateViewSchema,
} from './template.view.js';

@ApiTags('templates')
@ApiBearerAuth()
@ApiProblems()
@Controller('templates')
export class TemplatesController {
  constructor(
    private readonly templates: Templates,
    private readonly refusals: RefusalRecorder,
  ) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'List templates, sorted by name' })
  @ApiOkResponse({ standardSchema: TemplatePageSchema })
  async list(@Query({ schema: PageQuerySchema }) { limit, cursor }: PageQuery): Promise<JsonObject> {
    const { items, next } = await this.templates.list({ limit, after: positionOf(cursor, z.string()) });
    return pageView(items.map(templateView), next);
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read a template and its current version' })
  @ApiOkResponse({ standardSchema: TemplateViewSchema })
  async view(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return send(reply, await this.templates.find(name));
  }

  @Post()
  @Permits(['platform'])
  @ApiOperation({ summary: 'Create a template with its first draft' })
  @ApiDocument('TaskTemplate')
  @ApiCreatedResponse({ standardSchema: TemplateViewSchema })
  async create(
    @Caller() caller: Principal,
    @Body() body: Json,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const created = await this.templates.create(body, declarerOf(caller));
    reply.header('location', `/templates/${created.template.name}`);
    return send(reply, created);
  }

  @Post('lint')
  @HttpCode(200)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Lint a template; nothing is saved' })
  @ApiDocument('TaskTemplate')
  @ApiOkResponse({ standardSchema: FindingsSchema })
  async lint(@Body() body: Json): Promise<JsonObject> {
    return { findings: findingsView(await this.templates.lint(body)) };
  }

  @Put(':name')
  @Permits(['platform'])
  @ApiOperation({ summary: 'Replace the draft, or start one; the current version stays in force' })
  @ApiIfMatch()
  @ApiDocument('TaskTemplate')
  @ApiOkResponse({ standardSchema: TemplateViewSchema })
  async replaceDraft(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Body() body: Json,
    @Headers() headers: FastifyRequest['headers'],
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return send(reply, await this.templates.replaceDraft(name, body, mustMatch(headers), declarerOf(caller)));
  }

  @Post(':name/publish')
  @HttpCode(200)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Publish the draft as the next version; its editors may not publish it' })
  @ApiIfMatch()
  @ApiOkResponse({ standardSchema: TemplateViewSchema })
  async publish(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Headers() headers: FastifyRequest['headers'],
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const precondition = mustMatch(headers);
    const { warnings, ...published } = await this.refusals.watching(caller, 'POST /templates/:name/publish', () =>
      this.templates.publish(name, precondition, declarerOf(caller)),
    );
    return { ...send(reply, published), warnings: findingsView(warnings) };
  }

  @Post(':name/retire')
  @HttpCode(200)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Retire a template permanently: no new tasks; running tasks keep their credentials' })
  @ApiOkResponse({ standardSchema: TemplateViewSchema })
  async retire(
    @Caller() caller: Principal,
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return send(reply, await this.templates.retire(name, declarerOf(caller)));
  }
}

function send(reply: FastifyReply, standing: StandingTemplate): JsonObject {
  sendEtag(reply, standing.template.revision);
  return standingView(standing);
}
