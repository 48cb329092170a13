import { NameSchema, type Json, type JsonObject } from '@mayfly/kernel';
import { Body, Controller, Get, Headers, HttpCode, Param, Post, Put, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiCreatedResponse, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiDocument } from '../declarations/declared.view.js';
import { ApiProblems } from '../http/api-problems.js';
import { PageQuerySchema, type PageQuery } from '../http/page.js';
import { ApiIfMatch, mustMatch, sendEtag } from '../http/preconditions.js';
import { Caller } from '../security/caller.js';
import { Permits } from '../security/permits.js';
import type { Principal } from '../security/principal.js';
import { FindingsSchema, TemplatePageSchema, TemplateViewSchema } from './template.view.js';
import { TemplatesService, type Revised } from './templates.service.js';

@ApiTags('templates')
@ApiBearerAuth()
@ApiProblems()
@Controller('templates')
export class TemplatesController {
  constructor(private readonly templates: TemplatesService) {}

  @Get()
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'List templates, sorted by name' })
  @ApiOkResponse({ standardSchema: TemplatePageSchema })
  list(@Query({ schema: PageQuerySchema }) page: PageQuery): Promise<JsonObject> {
    return this.templates.list(page);
  }

  @Get(':name')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read a template and its current version' })
  @ApiOkResponse({ standardSchema: TemplateViewSchema })
  async view(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    return send(reply, await this.templates.view(name));
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
    const created = await this.templates.create(body, caller);
    reply.header('location', `/templates/${created.name}`);
    return send(reply, created);
  }

  @Post('lint')
  @HttpCode(200)
  @Permits(['platform'])
  @ApiOperation({ summary: 'Lint a template; nothing is saved' })
  @ApiDocument('TaskTemplate')
  @ApiOkResponse({ standardSchema: FindingsSchema })
  lint(@Body() body: Json): Promise<JsonObject> {
    return this.templates.lint(body);
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
    return send(reply, await this.templates.replaceDraft(name, body, mustMatch(headers), caller));
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
    return send(reply, await this.templates.publish(name, mustMatch(headers), caller));
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
    return send(reply, await this.templates.retire(name, caller));
  }
}

function send(reply: FastifyReply, { revision, body }: Revised): JsonObject {
  sendEtag(reply, revision);
  return body;
}
