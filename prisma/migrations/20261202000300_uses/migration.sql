-- Uses of task trees: how often a task and everything below it was used at its targets (docs/authorize.md).

-- What was taken of the limits of one task: a row for each task whose template version limits uses, from the first use on.
-- A task draws from its own row and from those of the tasks above it. The limits are in the template version; a unit that it
-- does not limit is not counted. `recent` holds the calls of each of the last 61 seconds, which bound every sliding minute.
CREATE TABLE "use_counter" (
    "task_id" TEXT NOT NULL,
    "calls" BIGINT NOT NULL DEFAULT 0,
    "queries" BIGINT NOT NULL DEFAULT 0,
    "rows" BIGINT NOT NULL DEFAULT 0,
    "bytes" BIGINT NOT NULL DEFAULT 0,
    "spend" BIGINT NOT NULL DEFAULT 0,
    "recent" INTEGER[],
    "recent_second" BIGINT NOT NULL DEFAULT 0,

    CONSTRAINT "use_counter_pkey" PRIMARY KEY ("task_id")
);
ALTER TABLE "use_counter" ADD CONSTRAINT "use_counter_amounts_check"
  CHECK ("calls" >= 0 AND "queries" >= 0 AND "rows" >= 0 AND "bytes" >= 0 AND "spend" >= 0);

-- The uses that were taken under an id of the enforcement point's own request: for a minute, the same id is the same use.
CREATE TABLE "use_key" (
    "task_id" TEXT NOT NULL,
    "key" TEXT NOT NULL,
    "taken_at" TIMESTAMPTZ(6) NOT NULL,

    CONSTRAINT "use_key_pkey" PRIMARY KEY ("task_id","key")
);
CREATE INDEX "use_key_taken_at_idx" ON "use_key"("taken_at");

-- One use that is asked for. `path` has the places in `p_counters` from which it draws, with commas between them.
CREATE TYPE "use_request" AS (
    "task_id" TEXT,
    "lease_id" TEXT,
    "key" TEXT,
    "path" TEXT,
    "calls" BIGINT,
    "queries" BIGINT,
    "rows" BIGINT,
    "bytes" BIGINT,
    "spend" BIGINT
);

-- The limits of one counter. NULL: no limit.
CREATE TYPE "use_limit" AS (
    "task_id" TEXT,
    "calls" BIGINT,
    "queries" BIGINT,
    "rows" BIGINT,
    "bytes" BIGINT,
    "spend" BIGINT,
    "per_minute" BIGINT
);

-- The calls of the last 61 seconds as of `p_second`.
CREATE FUNCTION public.recent_uses(p_recent int[], p_recent_second bigint, p_second bigint) RETURNS int[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  passed int := least(61, greatest(0, p_second - p_recent_second));
BEGIN
  IF p_recent IS NULL THEN
    RETURN array_fill(0, ARRAY[61]);
  END IF;
  RETURN p_recent[passed + 1 : 61] || array_fill(0, ARRAY[passed]);
END $$;

-- The seconds until so many calls fit a limit of the minute again, or NULL when they never will.
CREATE FUNCTION public.seconds_until_uses(p_recent int[], p_wanted bigint, p_limit bigint) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  in_minute bigint := (SELECT sum(n) FROM unnest(p_recent) AS n);
BEGIN
  FOR passed IN 1 .. 61 LOOP
    in_minute := in_minute - p_recent[passed];
    IF in_minute + p_wanted <= p_limit THEN
      RETURN passed;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;

-- Takes uses for many requests. `verdicts` has one of each request, in order:
--   taken            counted in every counter that it draws from
--   repeated         its key was taken within a minute; not counted again
--   dead:CAUSE       its task or its lease may not be used; CAUSE is the end of the task, or `lockdown`, `expired`, `unknown`, `lease`
--   over:PLACE:UNIT  it crosses the limit of a unit of the counter at this place; the caller ends that task in this transaction
--   fast:PLACE:S     too many calls in this minute; they fit in S seconds (none: never)
-- `used` has five amounts for each counter after the call. A refused request takes nothing. With `p_may_end` false a request
-- that crosses a limit makes the call do nothing and return no verdicts: the caller repeats it in a transaction that also ends the task.
-- The rows are locked in one order: the guard, then counters in the order of `p_counters`, which callers sort. Tasks are read
-- under these locks and not locked: an end that commits during the wait is seen, and one that commits later comes after the uses.
CREATE FUNCTION public.take_uses(p_requests public.use_request[], p_counters public.use_limit[], p_may_end boolean,
    OUT verdicts text[], OUT used bigint[]) LANGUAGE plpgsql AS $$
DECLARE
  tasks text[] := ARRAY(SELECT DISTINCT r.task_id FROM unnest(p_requests) AS r);
  leases text[] := ARRAY(SELECT DISTINCT r.lease_id FROM unnest(p_requests) AS r WHERE r.lease_id IS NOT NULL);
  locked_down text[] := public.locked_down(tasks);
  units constant text[] := ARRAY['calls', 'queries', 'rows', 'bytes', 'spend'];
  counted int := cardinality(p_counters);
  counter record;
  limits bigint[] := '{}';
  per_minute bigint[] := '{}';
  recent int[] := '{}';
  in_minute bigint[] := '{}';
  rolled int[];
  crossed boolean[] := array_fill(false, ARRAY[counted]);
  changed boolean[] := array_fill(false, ARRAY[counted]);
  judged_at timestamptz;
  this_second bigint;
  dead_tasks text[];
  dead_causes text[];
  dead_leases text[] := '{}';
  request public.use_request;
  path int[];
  amounts bigint[];
  place int;
  slot int;
  verdict text;
BEGIN
  verdicts := '{}';
  used := '{}';
  IF (SELECT count(*) FROM public.use_counter c WHERE c.task_id IN (SELECT n.task_id FROM unnest(p_counters) AS n)) < counted THEN
    INSERT INTO public.use_counter (task_id) SELECT n.task_id FROM unnest(p_counters) WITH ORDINALITY AS n ORDER BY n.ordinality
      ON CONFLICT (task_id) DO NOTHING;
  END IF;
  -- The locks come first, then the instant: seconds that pass during the wait are no longer part of the minute.
  PERFORM FROM public.use_counter c JOIN unnest(p_counters) WITH ORDINALITY AS n ON n.task_id = c.task_id ORDER BY n.ordinality FOR UPDATE OF c;
  judged_at := clock_timestamp();
  this_second := floor(extract(epoch FROM judged_at));
  FOR counter IN
    SELECT c.*, ARRAY[n.calls, n.queries, n.rows, n.bytes, n.spend] AS most, n.per_minute
    FROM unnest(p_counters) WITH ORDINALITY AS n JOIN public.use_counter c ON c.task_id = n.task_id ORDER BY n.ordinality
  LOOP
    rolled := public.recent_uses(counter.recent, counter.recent_second, this_second);
    used := used || ARRAY[counter.calls, counter.queries, counter.rows, counter.bytes, counter.spend];
    limits := limits || counter.most;
    per_minute := per_minute || counter.per_minute;
    recent := recent || rolled;
    in_minute := in_minute || (SELECT sum(n) FROM unnest(rolled) AS n);
  END LOOP;

  SELECT array_agg(asked.id), array_agg(asked.cause) INTO dead_tasks, dead_causes
  FROM (
    SELECT wanted.id, CASE
        WHEN t.id IS NULL THEN 'unknown'
        WHEN t.end_cause IS NOT NULL THEN t.end_cause
        WHEN t.state <> 'active' THEN t.state
        WHEN t.expires_at <= judged_at THEN 'expired'
        WHEN t.id = ANY (locked_down) THEN 'lockdown'
      END AS cause
    FROM unnest(tasks) AS wanted (id) LEFT JOIN public.task t ON t.id = wanted.id) AS asked
  WHERE asked.cause IS NOT NULL;
  IF cardinality(leases) > 0 THEN
    dead_leases := ARRAY(
      SELECT wanted.id FROM unnest(leases) AS wanted (id)
      WHERE NOT EXISTS (SELECT FROM public.lease l WHERE l.id = wanted.id AND l.state = 'active' AND l.expires_at > judged_at));
  END IF;

  FOREACH request IN ARRAY p_requests LOOP
    verdict := NULL;
    path := string_to_array(request.path, ',')::int[];
    amounts := ARRAY[request.calls, request.queries, request.rows, request.bytes, request.spend];
    IF dead_tasks IS NOT NULL AND request.task_id = ANY (dead_tasks) THEN
      verdict := 'dead:' || dead_causes[array_position(dead_tasks, request.task_id)];
    ELSIF cardinality(dead_leases) > 0 AND request.lease_id = ANY (dead_leases) THEN
      verdict := 'dead:lease';
    ELSIF request.key IS NOT NULL AND EXISTS (
        SELECT FROM public.use_key k WHERE k.task_id = request.task_id AND k.key = request.key AND k.taken_at > judged_at - interval '60 seconds') THEN
      verdict := 'repeated';
    END IF;
    IF verdict IS NULL THEN
      FOREACH place IN ARRAY path LOOP
        IF crossed[place] THEN
          verdict := 'dead:uses_exhausted';
        ELSE
          FOR unit IN 1 .. 5 LOOP
            IF verdict IS NULL AND amounts[unit] > 0 AND used[place * 5 - 5 + unit] + amounts[unit] > limits[place * 5 - 5 + unit] THEN
              IF NOT p_may_end THEN
                verdicts := NULL;
                used := NULL;
                RETURN;
              END IF;
              verdict := 'over:' || place || ':' || units[unit];
              crossed[place] := true;
            END IF;
          END LOOP;
        END IF;
        EXIT WHEN verdict IS NOT NULL;
      END LOOP;
    END IF;
    IF verdict IS NULL AND request.calls > 0 THEN
      FOREACH place IN ARRAY path LOOP
        IF in_minute[place] + request.calls > per_minute[place] THEN
          verdict := 'fast:' || place || ':' || coalesce(public.seconds_until_uses(recent[place * 61 - 60 : place * 61], request.calls, per_minute[place])::text, '');
          EXIT;
        END IF;
      END LOOP;
    END IF;
    IF verdict IS NULL THEN
      verdict := 'taken';
      FOREACH place IN ARRAY path LOOP
        changed[place] := true;
        FOR unit IN 1 .. 5 LOOP
          slot := place * 5 - 5 + unit;
          IF amounts[unit] > 0 AND limits[slot] IS NOT NULL THEN
            used[slot] := used[slot] + amounts[unit];
          END IF;
        END LOOP;
        IF per_minute[place] IS NOT NULL THEN
          recent[place * 61] := recent[place * 61] + request.calls;
          in_minute[place] := in_minute[place] + request.calls;
        END IF;
      END LOOP;
      IF request.key IS NOT NULL AND cardinality(path) > 0 THEN
        INSERT INTO public.use_key (task_id, key, taken_at) VALUES (request.task_id, request.key, judged_at)
          ON CONFLICT (task_id, key) DO UPDATE SET taken_at = excluded.taken_at;
      END IF;
    END IF;
    verdicts := verdicts || verdict;
  END LOOP;

  FOR place IN 1 .. counted LOOP
    IF changed[place] THEN
      slot := place * 5 - 5;
      rolled := recent[place * 61 - 60 : place * 61];
      UPDATE public.use_counter c SET calls = taken.calls, queries = taken.queries, rows = taken.rows, bytes = taken.bytes, spend = taken.spend,
          recent = taken.recent, recent_second = taken.second
        FROM (SELECT used[slot + 1] AS calls, used[slot + 2] AS queries, used[slot + 3] AS rows, used[slot + 4] AS bytes, used[slot + 5] AS spend,
            CASE WHEN per_minute[place] IS NOT NULL THEN rolled END AS recent,
            greatest(c2.recent_second, this_second) AS second
          FROM public.use_counter c2 WHERE c2.task_id = p_counters[place].task_id) AS taken
        WHERE c.task_id = p_counters[place].task_id;
    END IF;
  END LOOP;
END $$;
