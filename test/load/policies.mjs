// The decision of policies in this process. Inside the timer: `PoliciesInForce.decide` as a whole, so building and checking the
// question, Cedar's call with its JSON, and reading the answer; depth, lifetime asked for and instant differ from call to call.
// Outside: HTTP, the other controls, the database. A policy set is warm; "first" is the first decision, which parses the set.
// Prints a table; asserts nothing. `node --import ./test/load/run.mjs test/load/policies.mjs`; LOAD_CALLS changes the calls.
import { PoliciesInForce, PolicyEngine } from '@mayfly/policy';
import { report } from './report.mjs';
import { percentile } from './service.mjs';

const CALLS = Number(process.env.LOAD_CALLS ?? 3_000);

/** One policy with conditions such as people write; `scope` is that of its resource. */
const policy = (number, scope = 'resource') =>
  `forbid(principal, action, ${scope}) when { context.treeDepth == ${number + 10} && principal.hasTag("duty") && principal.getTag("duty") == "duty-${number}" && context.connections.contains("crm") };`;

const texts = (count, from, scope) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`p${from + index}`, policy(from + index, scope)]));

/** Documents of at most 100 policies. `sliced`: 10 for all, and 10 for each of 99 templates, so that one decision asks 20. */
function documents(count, sliced) {
  if (!sliced) return [{ name: 'all', spec: { policies: texts(count, 0) } }];
  const own = Array.from({ length: 99 }, (_, index) => ({
    name: `own-${index}`,
    spec: { policies: texts(10, 10 + index * 10, `resource in Template::"t-${index}"`) },
  }));
  return [{ name: 'all', spec: { policies: texts(10, 0) } }, ...own];
}

function inputOf(call, templates) {
  return {
    ...{
      action: 'request',
      phase: 'request',
      at: new Date(1_800_000_000_000 + call),
      approvals: 0,
      treeDepth: call % 4,
    },
    requestedSeconds: 60 + (call % 600),
    agent: {
      name: 'support-agent',
      labels: { duty: 'support', region: 'emea' },
      runtime: 'cluster',
      issuer: 'cluster',
    },
    template: {
      ...{ name: `t-${call % templates}`, version: 3, owner: 'support', labels: { 'data-class': 'internal' } },
      ...{ connections: ['crm', 'billing'], providers: ['postgres', 'signed-token'] },
    },
  };
}

const engine = new PolicyEngine();

function measure(title, declared, templates = 1) {
  const policies = new PoliciesInForce(engine, { policies: declared }, (error) => console.error(error));
  policies.prepare();
  const first = performance.now();
  for (let template = 0; template < templates; template += 1) policies.decide(inputOf(template, templates));
  const parsed = (performance.now() - first) / templates;
  const times = [];
  const cpu = process.cpuUsage();
  for (let call = 0; call < CALLS; call += 1) {
    const input = inputOf(call, templates);
    const began = performance.now();
    const { outcome } = policies.decide(input);
    times.push((performance.now() - began) * 1000);
    if (outcome !== 'permit') throw new Error(`${title}: a decision was ${outcome}`);
  }
  const used = process.cpuUsage(cpu);
  times.sort((one, other) => one - other);
  const micros = (value) => `${Math.round(value)} µs`;
  const measured = `p50 ${micros(percentile(times, 0.5))}, p99 ${micros(percentile(times, 0.99))}, CPU ${micros((used.user + used.system) / CALLS)}; first ${parsed.toFixed(1)} ms`;
  return { what: `a decision of policies: ${title}`, measured };
}

const rss = () => Math.round(process.memoryUsage.rss() / 1_048_576);
const before = rss();
const none = measure('none', []);
const began = performance.now();
engine.warm();
const loaded = Math.round(performance.now() - began);
report([
  none,
  { what: 'loading Cedar, once in a process that has policies', measured: `${loaded} ms` },
  measure('10 in one set', documents(10)),
  measure('100 in one set', documents(100)),
  measure('1,000, of which 20 in a set; 99 templates in turns', documents(1_000, true), 99),
  { what: 'memory before Cedar is loaded, and at the end', measured: `${before} MiB, ${rss()} MiB` },
]);
