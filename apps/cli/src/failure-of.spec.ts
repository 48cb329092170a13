import { describe, expect, it } from '@jest/globals';
import { BrokerProblem, BrokerUnreachable, UnexpectedAnswer } from '@mayfly/client';
import { UnusableCredential } from '@mayfly/sdk';
import { usageFailure } from './command-failure.js';
import { failureOf } from './failure-of.js';

describe('an error leaves a command', () => {
  it.each<[string, unknown, object]>([
    ['as it is where a command said it', usageFailure('wrong', 'try'), { exitCode: 2, message: 'wrong', help: 'try' }],
    [
      'with 3 where the broker refused',
      BrokerProblem.of(403, { type: 'urn:mayfly:problem:policy_denied', detail: 'no', control: 'runtime' }, undefined),
      { exitCode: 3, message: 'no (control `runtime`)' },
    ],
    [
      'with 3 where the answer leads elsewhere: the token is for one address',
      BrokerProblem.of(307, undefined, undefined),
      {
        exitCode: 3,
        message: expect.stringContaining(
          'a redirect, which the CLI does not follow; set MAYFLY_URL to the address of the broker',
        ),
      },
    ],
    ['with 4 where it could not answer', BrokerProblem.of(503, undefined, undefined), { exitCode: 4 }],
    [
      'with 4 where nothing answered',
      new BrokerUnreachable('http://x', 'ECONNREFUSED'),
      { exitCode: 4, message: 'the broker at http://x does not answer (ECONNREFUSED)', help: /MAYFLY_URL/ },
    ],
    [
      'with 4 where something else answered',
      new UnexpectedAnswer('id'),
      {
        exitCode: 4,
        message: 'the answer does not have the form of an answer of a broker at `id`',
        help: /MAYFLY_URL/,
      },
    ],
    [
      'with 2 and the option that helps where several credentials would do',
      new UnusableCredential('ambiguous', 'two', 'pick'),
      { exitCode: 2, message: 'two', help: 'name the credential with --credential NAME' },
    ],
    [
      'with 2 where a credential cannot be handed over',
      new UnusableCredential('name_taken', 'taken', 'rename'),
      { exitCode: 2, message: 'taken', help: 'rename' },
    ],
    ['with 1 where nobody expected it', new Error('odd'), { exitCode: 1, message: 'odd' }],
  ])('an error ends a command %s', (_how, error, { help, ...failure }: { help?: string | RegExp }) => {
    const left = failureOf(error);
    expect(left).toMatchObject(failure);
    if (help !== undefined) expect(left.help).toMatch(help);
  });
});
