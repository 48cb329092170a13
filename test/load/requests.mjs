// The requests of a load: 50 agents with a token each ask for 20 templates in turn, each request with parameters of its own, so
// that no result kept from one request serves another.
import { developmentIssuer } from '@mayfly/embedded';
import { AGENTS, numbered, TEMPLATES } from './service.mjs';

/** The body of the nth request for a template. */
export function bodyOf(template, n) {
  const region = n % 2 === 0 ? 'emea' : 'apac';
  const parameters = template.startsWith('load-token') ? { region, case: `c${n.toString(36)}` } : { region };
  return { template, parameters, purpose: 'measure', ttlSeconds: 900 };
}

/** Returns `take(kind)`: the next request for a template of the kind `load-token`, `load-database` or `load-quick`. */
export async function requestsOf({ directory }) {
  const issuer = await developmentIssuer(directory, { production: false });
  const tokens = await Promise.all(numbered('load-agent', AGENTS).map((agent) => issuer.issueToken({ agent })));
  let n = 0;
  return (kind) => {
    n += 1;
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${tokens[n % AGENTS]}` };
    return { method: 'POST', headers, body: JSON.stringify(bodyOf(`${kind}-${(n % TEMPLATES) + 1}`, n)) };
  };
}

/** Makes `count` calls, at most `size` at a time, and returns their results. */
export async function inFlight(size, count, call) {
  let begun = 0;
  const results = [];
  const worker = async () => {
    while (begun++ < count) results.push(await call());
  };
  await Promise.all(Array.from({ length: Math.min(size, count) }, worker));
  return results;
}
