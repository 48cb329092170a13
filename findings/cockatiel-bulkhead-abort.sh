#!/usr/bin/env bash
# cockatiel 3.2.1: a call that waits in a bulkhead is not let go when its signal aborts.
#
# `bulkhead(1, 1).execute(fn, signal)` takes an AbortSignal. Seen here: while the one running call lasts, a waiting call whose
# signal aborted stays in the queue. Its promise stays pending, and it still counts against the size of the queue, so that a
# new call is rejected as if the bulkhead were full. It is rejected (TaskCancelledError, its function never runs) only when
# the running call ends. A caller that must answer at its deadline needs a deadline of its own around `execute`, and the
# queue needs room for calls that nobody waits for any more.
#
# Output seen: `aborted and running: still pending, another call: BulkheadRejectedError; after the end: TaskCancelledError, 0
# calls made`. Needs Node 20 and npm. Exits with 1 when this changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm init -y >/dev/null
npm install --no-audit --no-fund --silent cockatiel@3.2.1
cat >look.cjs <<'JS'
const { bulkhead } = require('cockatiel');
const { setTimeout: pause } = require('node:timers/promises');

async function main() {
  const policy = bulkhead(1, 1);
  let release;
  const running = policy.execute(() => new Promise((resolve) => (release = resolve)));
  let calls = 0;
  let outcome = 'still pending';
  const controller = new AbortController();
  policy.execute(() => (calls += 1), controller.signal).then(
    () => (outcome = 'called'),
    (error) => (outcome = error.constructor.name),
  );
  controller.abort();
  await pause(200);
  const before = outcome;
  const another = await policy.execute(() => 'called').catch((error) => error.constructor.name);
  release();
  await running;
  await pause(50);
  console.log(`aborted and running: ${before}, another call: ${another}; after the end: ${outcome}, ${calls} calls made`);
  const isSeen = before === 'still pending' && another === 'BulkheadRejectedError' && outcome === 'TaskCancelledError';
  process.exit(isSeen && calls === 0 ? 0 : 1);
}
main();
JS
node look.cjs
