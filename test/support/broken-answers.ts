import { AwsError, errorXml, type Call } from '../contract/aws-fake/answers.js';

/** An exchange of a back end: the secrets that went either way, and the true answer. */
export interface SecretExchange {
  readonly protocol: 'vault' | Call['service'];
  readonly secrets: readonly string[];
  readonly text: string;
}

export interface BrokenAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The ways in which a broken or hostile server gives secrets where none belong. */
export const BROKEN_ANSWERS = {
  'refuses and quotes': (exchange) => failure(exchange, 400, 'ValidationError', `refused: ${quoted(exchange)}`),
  'denies and quotes': (exchange) => failure(exchange, 403, 'AccessDenied', denied(exchange)),
  'fails and quotes': (exchange) => failure(exchange, 500, 'InternalFailure', quoted(exchange)),
  'says a secret as its error': (exchange) => failure(exchange, 400, wordOf(exchange), longest(exchange)),
  'redirects to a secret': ({ secrets }) => ({
    status: 307,
    text: '',
    headers: { Location: `http://127.0.0.1:1/${secrets.map(encodeURIComponent).join('/')}` },
  }),
  'shows a page': (exchange) => ({
    status: 502,
    text: `<html><body><h1>Bad Gateway</h1>${quoted(exchange)}</body></html>`,
    headers: { 'Content-Type': 'text/html' },
  }),
  'gives half an answer': ({ text }) => ({ status: 200, text: text.slice(0, Math.floor(text.length * 0.7)) }),
  'confuses the members': (exchange) => ({ status: 200, text: confused(exchange) }),
  'warns and quotes': (exchange) => ({ status: 200, text: warning(exchange) }),
} satisfies Readonly<Record<string, (exchange: SecretExchange) => BrokenAnswer>>;

export type BrokenAnswerName = keyof typeof BROKEN_ANSWERS;

function failure({ protocol }: SecretExchange, status: number, code: string, message: string): BrokenAnswer {
  if (protocol === 'vault') return { status, text: JSON.stringify({ errors: [message] }) };
  return { status, text: errorXml(protocol, new AwsError(code, status, message)) };
}

/** Every secret as a word of a sentence, in quotes, and as the value of a name. */
function quoted({ secrets }: SecretExchange): string {
  return secrets.map((secret) => `the call with ${secret} failed, "${secret}" (password=${secret})`).join('; ');
}

function denied(exchange: SecretExchange): string {
  return `User: ${longest(exchange)} is not authorized to perform: ${wordOf(exchange).slice(0, 24)}:Xy, ${quoted(exchange)}`;
}

function longest({ secrets }: SecretExchange): string {
  return secrets.toSorted((one, other) => other.length - one.length)[0] ?? 'nothing';
}

/** The longest secret as an error code can hold it. */
function wordOf(exchange: SecretExchange): string {
  return longest(exchange).replaceAll(/\W/g, '').slice(0, 60);
}

/** The true answer with a secret in each member that should hold something else. */
function confused(exchange: SecretExchange): string {
  const secret = longest(exchange);
  if (exchange.protocol !== 'vault') {
    const escaped = secret.replaceAll(/[^\w+/=]/g, '');
    return exchange.text.replaceAll(
      /<(Arn|Account|UserId|Expiration|AccessKeyId|PackedPolicySize|RequestId|AssumedRoleId|RoleName|PolicyName)>[^<]*/g,
      `<$1>${escaped}`,
    );
  }
  const answer = JSON.parse(exchange.text === '' ? '{}' : exchange.text) as object;
  const wrong = { lease_duration: secret, renewable: secret, warnings: secret, errors: secret, request_id: secret };
  return JSON.stringify({ ...answer, ...wrong, data: secret, auth: { client_token: secret, accessor: 7 } });
}

/** The true answer with warnings that quote, and a secret as the name of an engine; AWS's answers have neither. */
function warning(exchange: SecretExchange): string {
  if (exchange.protocol !== 'vault') return exchange.text;
  const answer = JSON.parse(exchange.text === '' ? '{}' : exchange.text) as { data?: object | null };
  const [words, secret] = [quoted(exchange), longest(exchange)];
  const data = { ...answer.data, revoke_error: words, type: secret, path: secret };
  return JSON.stringify({ ...answer, ...(answer.data ? { data } : {}), warnings: [words], revoke_error: words });
}
