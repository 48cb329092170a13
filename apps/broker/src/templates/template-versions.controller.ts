import { Templates } from '@mayfly/declarations';
import { ApiProblems, type PageQuery, PageQuerySchema, Permits, sendEtag } from '@mayfly/http';
import { type JsonObject, NameSchema, pageView, positionOf } from '@mayfly/kernel';
import { Controller, Get, Param, Query, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import {
  type DiffQuery,
  DiffQuerySchema,
  DiffViewSchema,
  draftView,
  DraftViewSchema,
  VersionNumberSchema,
  VersionPageSchema,
  versionView,
  VersionViewSchema,
} from './template.view.js';

@ApiTags('templates')
@ApiBearerAuth()
@ApiProblems()
@Controller('templates/:name')
export class TemplateVersionsController {
  constructor(private readonly templates: Templates) {}

  @Get('draft')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read the unpublished draft' })
  @ApiOkResponse({ standardSchema: DraftViewSchema })
  async draft(
    @Param('name', { schema: NameSchema }) name: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<JsonObject> {
    const { revision, draft } = await this.templates.draft(name);
    sendEtag(reply, revision);
    return draftView(name, draft, revision);
  }

  @Get('versions')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'List published versions, newest first' })
  @ApiOkResponse({ standardSchema: VersionPageSchema })
  async versions(
    @Param('name', { schema: NameSchema }) name: string,
    @Query({ schema: PageQuerySchema }) { limit, cursor }: PageQuery,
  ): Promise<JsonObject> {
    const { items, next } = await this.templates.versions(name, { limit, after: positionOf(cursor, z.int()) });
    return pageView(items.map(versionView), next);
  }

  @Get('versions/:version')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Read a published version; it never changes' })
  @ApiOkResponse({ standardSchema: VersionViewSchema })
  async version(
    @Param('name', { schema: NameSchema }) name: string,
    @Param('version', { schema: VersionNumberSchema }) version: number,
  ): Promise<JsonObject> {
    return versionView(await this.templates.version(name, version));
  }

  @Get('diff')
  @Permits(['platform', 'operator', 'auditor', 'approver'])
  @ApiOperation({ summary: 'Compare two versions, or a version with the draft' })
  @ApiOkResponse({ standardSchema: DiffViewSchema })
  async diff(
    @Param('name', { schema: NameSchema }) name: string,
    @Query({ schema: DiffQuerySchema }) { from, to }: DiffQuery,
  ): Promise<JsonObject> {
    const differences = await this.templates.diff(name, from, to);
    return { from, to, differences: differences.map((difference) => ({ ...difference })) };
  }
}
