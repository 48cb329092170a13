import { ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import { AccessEvaluations, type AccessAnswer, type AccessQuestion } from '@mayfly/issuance';
import { type JsonObject, present, Problem } from '@mayfly/kernel';
import type { Services } from '@mayfly/service';
import { Body, Controller, Get, Headers, HttpCode, Inject, Post, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { SERVICES } from '../tokens.js';
import {
  AuthzenConfigurationSchema,
  type Evaluation,
  EvaluationAnswerSchema,
  EvaluationSchema,
  type Evaluations,
  EvaluationsAnswerSchema,
  EvaluationsSchema,
} from './authzen.schemas.js';

/** An id that an answer repeats: visible ASCII, so that it is no header of its own. */
const REQUEST_ID = /^[\x21-\x7e]{1,128}$/;

/** The AuthZEN Authorization API 1.0 over the decision of a dry run. A denial is 200; nothing is written. */
@ApiTags('decisions')
@Controller()
export class AuthzenController {
  constructor(
    private readonly evaluations: AccessEvaluations,
    @Inject(SERVICES) private readonly services: Pick<Services, 'publicUrl'>,
  ) {}

  @Get('.well-known/authzen-configuration')
  @Permits(['anyone'])
  @ApiProblems(500, 503)
  @ApiOperation({ summary: 'Metadata of the decision point (AuthZEN 1.0)' })
  @ApiOkResponse({ standardSchema: AuthzenConfigurationSchema })
  configuration(): JsonObject {
    const { publicUrl } = this.services;
    return {
      policy_decision_point: publicUrl,
      access_evaluation_endpoint: `${publicUrl}/access/v1/evaluation`,
      access_evaluations_endpoint: `${publicUrl}/access/v1/evaluations`,
    };
  }

  @Post('access/v1/evaluation')
  @HttpCode(200)
  @Permits(['agent', 'auditor', 'operator', 'platform'])
  @ApiBearerAuth()
  @ApiProblems(400, 401, 403, 500, 503)
  @ApiOperation({
    summary: 'Ask whether an agent would get a task of a template (AuthZEN 1.0); an agent asks about itself',
  })
  @ApiOkResponse({ standardSchema: EvaluationAnswerSchema })
  async evaluate(
    @Caller() caller: Principal,
    @Body({ schema: EvaluationSchema }) question: Evaluation,
    @Headers('x-request-id') requestId: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccessAnswer | undefined> {
    repeat(requestId, reply);
    const [answer] = await this.evaluations.evaluate(caller, [question]);
    return answer;
  }

  @Post('access/v1/evaluations')
  @HttpCode(200)
  @Permits(['agent', 'auditor', 'operator', 'platform'])
  @ApiBearerAuth()
  @ApiProblems(400, 401, 403, 500, 503)
  @ApiOperation({ summary: 'Ask up to 200 such questions at once (AuthZEN 1.0)' })
  @ApiOkResponse({ standardSchema: EvaluationsAnswerSchema })
  async evaluateAll(
    @Caller() caller: Principal,
    @Body({ schema: EvaluationsSchema }) { evaluations, options, ...defaults }: Evaluations,
    @Headers('x-request-id') requestId: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<{ readonly evaluations: readonly AccessAnswer[] }> {
    repeat(requestId, reply);
    const questions = evaluations.map((one) => wholeQuestion({ ...present(defaults), ...present(one) }));
    return { evaluations: await this.evaluations.evaluate(caller, questions, options?.evaluations_semantic) };
  }
}

function wholeQuestion({ subject, action, resource, context }: Partial<AccessQuestion>): AccessQuestion {
  if (subject === undefined || action === undefined || resource === undefined)
    throw new Problem(
      'invalid_request',
      'an evaluation lacks `subject`, `action` or `resource`; give it there or beside `evaluations`',
    );
  return { subject, action, resource, context };
}

/** Repeats the id of the caller in the answer, as AuthZEN asks. */
function repeat(requestId: string | undefined, reply: FastifyReply): void {
  if (requestId !== undefined && REQUEST_ID.test(requestId)) void reply.header('x-request-id', requestId);
}
