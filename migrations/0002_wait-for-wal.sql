-- Returns once the log on disk reaches beyond `past`, or after `at_most_ms` (10 s at most), and not before `at_least_ms`.
-- It commits each turn, so that it holds back no vacuum; SET and SECURITY DEFINER would forbid that.
CREATE PROCEDURE tidemark.wait_for_wal(past pg_lsn, at_most_ms int, at_least_ms int DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE
  begun CONSTANT timestamptz := clock_timestamp();
  most_ms CONSTANT float8 := least(at_most_ms, 10000);
  waited_ms float8 := 0;
BEGIN
  IF at_least_ms > 0 THEN
    PERFORM pg_sleep(least(at_least_ms, most_ms) / 1000);
  END IF;
  LOOP
    COMMIT;
    EXIT WHEN pg_current_wal_flush_lsn() > past;
    waited_ms := extract(epoch FROM clock_timestamp() - begun) * 1000;
    EXIT WHEN waited_ms >= most_ms;
    -- A millisecond at first, five once it has been quiet for a second.
    PERFORM pg_sleep(least(5, 1 + waited_ms / 250) / 1000);
  END LOOP;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON PROCEDURE tidemark.wait_for_wal FROM PUBLIC;
