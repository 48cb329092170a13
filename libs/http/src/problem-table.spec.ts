import { Problem, type ProblemCode } from '@mayfly/kernel';
import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { PROBLEM_TABLE, renderOAuthError, renderProblem } from './problem-table.js';

const codes = Object.keys(PROBLEM_TABLE) as ProblemCode[];

describe('the problem table', () => {
  it.each<[ProblemCode, number]>([
    ['invalid_request', 400],
    ['unauthenticated', 401],
    ['forbidden', 403],
    ['policy_denied', 403],
    ['not_found', 404],
    ['method_not_allowed', 405],
    ['conflict', 409],
    ['request_in_flight', 409],
    ['precondition_failed', 412],
    ['request_timeout', 408],
    ['headers_too_large', 431],
    ['payload_too_large', 413],
    ['unsupported_media_type', 415],
    ['invalid_parameters', 422],
    ['invalid_template', 422],
    ['invalid_declaration', 422],
    ['idempotency_key_reused', 422],
    ['precondition_required', 428],
    ['quota_exceeded', 429],
    ['internal', 500],
    ['provider_rejected', 502],
    ['provider_unavailable', 503],
    ['unavailable', 503],
  ])('the problem table answers %s with %i', (code, status) => {
    expect(renderProblem(new Problem(code, 'x')).status).toBe(status);
    expect(renderProblem(new Problem(code, 'x')).body.status).toBe(status);
  });

  it('docs/problems.md has the rows of the problem table', () => {
    const doc = readFileSync('docs/problems.md', 'utf8');
    const [codeTable = ''] = doc.split('\n## ');
    const rows = codeTable.split('\n').filter((line) => line.startsWith('| `'));
    const cells = rows.map((row) =>
      row
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
    const table = codes.map((code) => {
      const { status, title, description, oauth } = PROBLEM_TABLE[code];
      return [`\`${code}\``, String(status), title, description, `\`${oauth}\``];
    });
    expect(cells).toEqual(table);
  });
});

describe('renderProblem', () => {
  it('renderProblem gives the members of RFC 9457 and the extensions beside them', () => {
    const problem = new Problem('policy_denied', 'the runtime `laptop` is not allowed', {
      control: 'runtime-boundary',
      help: 'ask from ci',
      taskId: 'tsk_1',
      errors: [{ pointer: '/runtime', detail: 'use ci' }],
    });
    expect(renderProblem(problem, 'req_1')).toEqual({
      status: 403,
      headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store' },
      body: {
        type: 'urn:mayfly:problem:policy_denied',
        title: 'A control refused the request',
        status: 403,
        detail: 'the runtime `laptop` is not allowed',
        instance: 'urn:mayfly:request:req_1',
        control: 'runtime-boundary',
        help: 'ask from ci',
        taskId: 'tsk_1',
        errors: [{ pointer: '/runtime', detail: 'use ci' }],
      },
    });
  });

  it.each([new Error('canary'), 'canary', { message: 'canary', status: 200 }, null, undefined])(
    'renderProblem hides the text of an unknown error (%p)',
    (error) => {
      const rendered = renderProblem(error, 'req_1');
      expect(rendered.status).toBe(500);
      expect(rendered.body.type).toBe('urn:mayfly:problem:internal');
      expect(JSON.stringify(rendered)).not.toContain('canary');
    },
  );

  it('renderProblem never shows the cause', () => {
    const problem = new Problem('unavailable', 'cannot read the quota', { cause: new Error('canary') });
    expect(JSON.stringify(renderProblem(problem))).not.toContain('canary');
  });

  it.each([
    [0.2, '1'],
    [7, '7'],
    [7.1, '8'],
  ])('renderProblem gives the retry time in whole seconds (%d → %s)', (retryAfterSeconds, header) => {
    const problem = new Problem('quota_exceeded', 'no task is left', { retryAfterSeconds });
    expect(renderProblem(problem).headers['retry-after']).toBe(header);
    expect(renderProblem(problem).body).not.toHaveProperty('retryAfterSeconds');
  });

  it('renderProblem gives a retry time while the same request is in progress', () => {
    expect(renderProblem(new Problem('request_in_flight', 'wait')).headers['retry-after']).toBe('1');
  });

  it('renderProblem challenges for a bearer token on 401 only', () => {
    const challenged = codes.filter((code) => 'www-authenticate' in renderProblem(new Problem(code, 'x')).headers);
    expect(challenged).toEqual(['unauthenticated']);
    expect(renderProblem(new Problem('unauthenticated', 'it "ended"\r\n')).headers['www-authenticate']).toBe(
      `Bearer error="invalid_token", error_description="it 'ended'??"`,
    );
    const missing = new Problem('unauthenticated', 'send a bearer token', { reason: 'no_token' });
    expect(renderProblem(missing).headers['www-authenticate']).toBe('Bearer');
  });
});

describe('renderOAuthError', () => {
  it.each<[ProblemCode, string]>([
    ['invalid_request', 'invalid_request'],
    ['unauthenticated', 'invalid_client'],
    ['forbidden', 'unauthorized_client'],
    ['policy_denied', 'access_denied'],
    ['unavailable', 'temporarily_unavailable'],
    ['internal', 'server_error'],
  ])('renderOAuthError writes %s as %s', (code, error) => {
    const rendered = renderOAuthError(new Problem(code, 'x'));
    expect(rendered.body).toEqual({ error, error_description: 'x' });
    expect(rendered.status).toBe(PROBLEM_TABLE[code].status);
    expect(rendered.headers).toMatchObject({ 'cache-control': 'no-store', pragma: 'no-cache' });
  });

  it('renderOAuthError keeps the description to the characters that RFC 6749 allows', () => {
    const { body } = renderOAuthError(new Problem('invalid_request', 'a "quoted" \\ naïve\ntext'));
    expect(body.error_description).toBe("a 'quoted' ' na?ve?text");
  });

  it('renderOAuthError hides the text of an unknown error', () => {
    expect(JSON.stringify(renderOAuthError(new Error('canary')))).not.toContain('canary');
  });
});
