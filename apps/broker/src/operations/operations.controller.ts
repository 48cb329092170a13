import { type Operation, Operations } from '@mayfly/enforcement';
import { ApiProblems, Caller, Permits } from '@mayfly/http';
import type { Principal } from '@mayfly/identity';
import { useAmounts } from '@mayfly/tasks';
import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiOperation, ApiTags } from '@nestjs/swagger';
import { type AskedOperation, type Authorize, AuthorizeAnswerSchema, AuthorizeSchema } from './operations.schemas.js';

/** Operations: resource servers and gateways ask before they let one through. */
@ApiTags('operations')
@ApiBearerAuth()
@ApiProblems()
@Controller('authorize')
export class OperationsController {
  constructor(private readonly operations: Operations) {}

  /** Runs through `authorize.route.ts`, without Nest's pipeline, because every operation waits for this request. */
  @Post()
  @HttpCode(200)
  @Permits(['workload', 'agent'])
  @Header('cache-control', 'no-store')
  @ApiOperation({
    summary: 'Ask whether an operation may be done now, and take its use',
    description:
      'For resource servers of the audience and gateways of the connection. A denial is an answer too. A token that is dead, unknown or of another enforcement point gets one and the same denial. Any other status than 200 permits nothing.',
  })
  @ApiOkResponse({ standardSchema: AuthorizeAnswerSchema })
  async authorize(@Caller() caller: Principal, @Body({ schema: AuthorizeSchema }) asked: Authorize): Promise<object> {
    if (!('evaluations' in asked)) return this.operations.authorize(caller, operationOf(asked));
    return { evaluations: await this.operations.authorizeEach(caller, asked.evaluations.map(operationOf)) };
  }
}

function operationOf({ uses, argumentsDigest, requestId, ...asked }: AskedOperation): Operation {
  return {
    ...{ ...asked, amounts: useAmounts(uses) },
    ...(argumentsDigest === undefined ? {} : { argumentsDigest }),
    ...(requestId === undefined ? {} : { requestId }),
  };
}
