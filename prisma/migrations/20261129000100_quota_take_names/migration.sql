-- Sessions that serve look up names in the catalog alone, so that nothing in `public` stands in for the server's functions:
-- the table that this function counts in is named with its schema.
CREATE OR REPLACE FUNCTION public.quota_take(p_scope text, p_wanted int, p_per_minute int, p_concurrent int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  counter public.quota_counter;
  this_second bigint;
  passed int;
  granted int;
BEGIN
  SELECT * INTO counter FROM public.quota_counter WHERE scope = p_scope FOR UPDATE;
  IF NOT FOUND THEN
    INSERT INTO public.quota_counter (scope, active, recent, recent_second) VALUES (p_scope, 0, array_fill(0, ARRAY[61]), 0)
      ON CONFLICT (scope) DO NOTHING;
    SELECT * INTO counter FROM public.quota_counter WHERE scope = p_scope FOR UPDATE;
  END IF;
  -- Read under the lock: what was waited for it is no longer part of the minute.
  this_second := floor(extract(epoch FROM clock_timestamp()));
  passed := least(61, greatest(0, this_second - counter.recent_second));
  IF passed > 0 THEN
    counter.recent := counter.recent[passed + 1 : 61] || array_fill(0, ARRAY[passed]);
  END IF;
  granted := greatest(0, least(p_wanted, p_concurrent - counter.active,
                               p_per_minute - (SELECT sum(n) FROM unnest(counter.recent) AS n)));
  counter.recent[61] := counter.recent[61] + granted;
  UPDATE public.quota_counter
     SET active = active + granted, recent = counter.recent, recent_second = greatest(counter.recent_second, this_second)
   WHERE scope = p_scope;
  RETURN granted;
END $$;
