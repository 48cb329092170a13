// The rules for SQL texts (docs/sql-rules.md), as a walk over the tokens of a text. An engine that spreads rows over nodes
// refuses the statements that break them, or loses an invariant without a word.

/** Functions that depend on their arguments alone, or that are syntax. */
const PURE = new Set(
  `coalesce greatest least nullif array_remove cardinality jsonb_build_object in any all values row exists and or not
   when then else case as set conflict where returning`.split(/\s+/),
);
/** Types whose casts read settings of the session, such as its time zone. */
const CAST_BY_SETTINGS = new Set(['text', 'timestamptz', 'timestamp', 'date', 'time', 'interval']);
const CLOCK_WORDS = new Set(['current_timestamp', 'current_date', 'current_time', 'localtimestamp', 'localtime']);
const VOLATILE = new Set(['clock_timestamp', 'random', 'timeofday', 'gen_random_uuid', 'nextval']);
const OF_ONE_NODE =
  /^(ctid|xmin|xmax|cmin|cmax|xid8?|txid_\w+|pg_snapshot\w*|pg_current_(xact_id|snapshot)\w*|pg_xact_\w+|pg_visible_in_snapshot)$/;

const CURE = {
  instant: 'carry the value as a column of a CTE or FROM subselect, in a variable of the function, or as a parameter',
  volatile: 'read the value in a FROM subselect or in a variable, and compare with that',
  node: 'order and find rows by columns of their own: a key, a counter, a list of work',
  insert: 'use separate statements in the transaction, or a function',
  notify: 'raise a revision that replicas poll, and notify after the commit',
};

/**
 * Returns the faults of one SQL text, each with the index of its token, the rule and the cure. `inFunction` is true for the
 * body of a function.
 */
export function faultsOf(text, { inFunction = false } = {}) {
  const tokens = tokensOf(text);
  const faults = [];
  const fault = (token, rule, cure) => faults.push({ index: token.index, found: token.text, rule, cure: CURE[cure] });
  const writes = tokens.some(({ word }) => ['insert', 'update', 'delete'].includes(word));
  let frames = [{}];
  tokens.forEach((token, at) => {
    const [before, after] = [tokens[at - 1], tokens[at + 1]];
    const frame = frames.at(-1);
    if (token.text === '(') frames.push({ clause: frame.clause, inherited: true });
    else if (token.text === ')') frames = frames.length > 1 ? frames.slice(0, -1) : [{}];
    else if (token.text === ';') frames = [{}];
    else if (token.word !== undefined) enterClause(frame, token, before, after);
    if (isOutside(token, before, after, frame.clause)) fault(token, `no function in ${frame.clause}`, 'instant');
    if (isCall(token, after, VOLATILE) && ['update', 'delete'].includes(frame.verb) && frame.clause === undefined)
      fault(token, 'no volatile function in UPDATE or DELETE', 'volatile');
    if (OF_ONE_NODE.test(token.word ?? '')) fault(token, 'no ctid and no transaction id', 'node');
    if (token.word === 'insert' && before?.text === '(') fault(token, 'no INSERT inside a CTE', 'insert');
    if (isNotify(token, before) && (inFunction || writes))
      fault(token, 'no NOTIFY with a change or in a function', 'notify');
  });
  return faults;
}

/** Follows the verb and the clause of the statement in this pair of parentheses. */
function enterClause(frame, { word }, before, after) {
  if (['select', 'insert', 'delete'].includes(word)) Object.assign(frame, { verb: word, clause: heldClause(frame) });
  if (word === 'update' && !['for', 'do', 'key', 'or', 'on'].includes(before?.word ?? ''))
    Object.assign(frame, { verb: word, clause: heldClause(frame) });
  if (word === 'on' && after?.word === 'conflict') Object.assign(frame, { clause: 'ON CONFLICT', inherited: false });
  if (word === 'set' && frame.verb === 'update' && frame.clause === undefined)
    Object.assign(frame, { clause: 'SET', inherited: false });
  if (word === 'returning') Object.assign(frame, { clause: 'RETURNING', inherited: false });
  const ends = frame.clause === 'SET' ? ['from', 'where'] : frame.clause === 'RETURNING' ? ['into'] : [];
  if (!frame.inherited && ends.includes(word) && before?.word !== 'distinct') frame.clause = undefined;
}

/** A subselect in SET is still part of SET. */
function heldClause(frame) {
  return frame.inherited ? frame.clause : undefined;
}

function isOutside(token, before, after, clause) {
  if (clause === undefined) return false;
  if (CLOCK_WORDS.has(token.word)) return true;
  if (token.word !== undefined && before?.text === '::')
    return CAST_BY_SETTINGS.has(token.word) && !castsValue(token.beforeCast);
  return token.word !== undefined && after?.text === '(' && !PURE.has(token.word);
}

/** A cast of a parameter or literal only names its type. */
function castsValue(token) {
  return token !== undefined && /^(\$\d|')/.test(token.text);
}

function isCall(token, after, names) {
  return names.has(token.word) && after?.text === '(';
}

function isNotify({ word }, before) {
  return (
    word === 'pg_notify' ||
    (word === 'notify' && (before === undefined || before.text === ';' || before.word === 'then'))
  );
}

const TOKEN = /--[^\n]*|\/\*[\s\S]*?\*\/|'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\d+|::|:=|[\w\u0080-\uffff]+|\S/g;

function tokensOf(text) {
  const tokens = [];
  for (const { 0: found, index } of text.matchAll(TOKEN)) {
    if (/^(--|\/\*)/.test(found)) continue;
    const token = { text: found, index };
    if (/^[a-z_]\w*$/i.test(found)) token.word = found.toLowerCase();
    if (tokens.at(-1)?.text === '::') token.beforeCast = tokens.at(-2);
    tokens.push(token);
  }
  return tokens;
}

/** Texts that break each rule, and texts that keep all: the check runs them first, so that it cannot pass by being blind. */
export const SAMPLES = [
  ['no function in SET', 'UPDATE t SET a = now() WHERE b = 1'],
  ['no function in SET', 'UPDATE t SET a = CASE WHEN b THEN clock_timestamp() END FROM c'],
  ['no function in SET', 'UPDATE t SET a = (SELECT now()), b = 1'],
  ['no function in SET', 'UPDATE t SET a = b - make_interval(secs => $1)'],
  ['no function in SET', 'UPDATE t SET a = CURRENT_TIMESTAMP'],
  ['no function in SET', 'WITH c AS (UPDATE t SET a = now() RETURNING b) SELECT b FROM c'],
  ['no function in SET', 'UPDATE t SET a = b::text'],
  ['no function in RETURNING', 'INSERT INTO t VALUES (now()) RETURNING extract(epoch FROM a)'],
  ['no function in RETURNING', 'UPDATE t SET a = $1 RETURNING a::text'],
  ['no function in ON CONFLICT', 'INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = now()'],
  ['no function in ON CONFLICT', 'INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET b = 1 WHERE t.c < now()'],
  ['no volatile function in UPDATE or DELETE', 'DELETE FROM t WHERE a < clock_timestamp()'],
  ['no ctid and no transaction id', 'DELETE FROM t WHERE ctid = $1'],
  ['no ctid and no transaction id', 'SELECT pg_snapshot_xmin(pg_current_snapshot())'],
  ['no INSERT inside a CTE', 'WITH n AS (INSERT INTO t VALUES (1)) SELECT 1'],
  ['no NOTIFY with a change or in a function', `INSERT INTO t VALUES (1); NOTIFY c`],
  [undefined, `SELECT pg_notify('c', '')`],
  [undefined, 'UPDATE t SET a = m.at, b = t.b + 1 FROM (SELECT now() AS at) AS m WHERE t.c < now() RETURNING t.a'],
  [undefined, 'WITH l AS (SELECT a, now() AS at FROM t FOR UPDATE) UPDATE t SET b = coalesce(t.b, l.at) FROM l'],
  [undefined, 'INSERT INTO t (a) VALUES (now()) ON CONFLICT (a) DO UPDATE SET a = EXCLUDED.a, b = $1::timestamptz'],
  [undefined, 'SELECT a FROM t WHERE b IS DISTINCT FROM now() FOR UPDATE'],
];
