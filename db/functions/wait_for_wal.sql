-- Returns once the log on disk reaches beyond `past`, or after `at_most_ms` (10 s at most), and not before `at_least_ms`.
-- It commits each turn, so that it holds back no vacuum; SET and SECURITY DEFINER would forbid that.
-- `own` is the id of a transaction of the caller's that nothing else was in progress beside: where nobody else has
-- committed since, it waits beyond that, for a second at most, because a commit may be in the log before it shows.
-- It moves the slot to `advance_to` first, and ends by peeking up to `read_to`, so that what it waited for is in its
-- answer, each unless null; `peeked` is null where the peek failed, which the caller will see when it peeks itself.
CREATE OR REPLACE PROCEDURE tidemark.wait_for_wal(
  past pg_lsn,
  at_most_ms int,
  at_least_ms int,
  own xid8,
  slot name,
  advance_to pg_lsn,
  is_binary boolean,
  read_to pg_lsn,
  most_changes int,
  most_rows int,
  most_chars int,
  options text[],
  INOUT peeked json
) LANGUAGE plpgsql AS $$
DECLARE
  begun CONSTANT timestamptz := clock_timestamp();
  most_ms float8 := least(at_most_ms, 10000);
  waited_ms float8 := 0;
  flushed pg_lsn;
  ids pg_snapshot;
BEGIN
  peeked := NULL;
  -- The plan that the first turn makes is then the second one's too.
  PERFORM set_config('plan_cache_mode', 'force_generic_plan', false);
  IF advance_to IS NOT NULL THEN
    PERFORM pg_replication_slot_advance(slot, advance_to);
    COMMIT;
  END IF;
  IF own IS NOT NULL THEN
    flushed := pg_current_wal_flush_lsn();
    IF pg_snapshot_xmax(pg_current_snapshot())::text::numeric = own::text::numeric + 1 THEN
      past := flushed;
      most_ms := least(most_ms, 1000);
    ELSE
      past := '0/0';
    END IF;
  END IF;
  -- The first turn only plans, which a peek makes dear afterwards, while nothing is awaited yet.
  FOR turn IN 0..1 LOOP
    IF turn = 1 THEN
      IF at_least_ms > 0 THEN
        PERFORM pg_sleep(greatest(0, least(at_least_ms, most_ms) - extract(epoch FROM clock_timestamp() - begun) * 1000) / 1000);
      END IF;
      LOOP
        COMMIT;
        EXIT WHEN pg_current_wal_flush_lsn() > past;
        waited_ms := extract(epoch FROM clock_timestamp() - begun) * 1000;
        EXIT WHEN waited_ms >= most_ms;
        -- A millisecond at first, five once it has been quiet for a second. Whole ones: a part is slept as a whole one more.
        PERFORM pg_sleep(least(5, 1 + floor(waited_ms / 250)) / 1000);
      END LOOP;
    END IF;
    CONTINUE WHEN read_to IS NULL;
    -- Who is in progress first, then how far the log reaches: all that ends below is visible to the peek.
    ids := pg_current_snapshot();
    flushed := pg_current_wal_flush_lsn();
    BEGIN
      IF is_binary THEN
        SELECT json_build_object('flush', flushed, 'xmin', pg_snapshot_xmin(ids)::text, 'xmax', pg_snapshot_xmax(ids)::text,
          'count', count(*), 'rows', json_agg(data ORDER BY n) FILTER (WHERE n <= most_rows AND chars <= most_chars))
        INTO peeked
        FROM (
          SELECT p.n, p.data, sum(length(p.data)) OVER (ORDER BY p.n) AS chars
          FROM pg_logical_slot_peek_binary_changes(slot, least(flushed, read_to), most_changes, VARIADIC options)
            WITH ORDINALITY AS p(lsn, xid, data, n)
          WHERE turn = 1
        ) AS counted;
      ELSE
        SELECT json_build_object('flush', flushed, 'xmin', pg_snapshot_xmin(ids)::text, 'xmax', pg_snapshot_xmax(ids)::text,
          'count', count(*), 'rows', json_agg(data ORDER BY n) FILTER (WHERE n <= most_rows AND chars <= most_chars))
        INTO peeked
        FROM (
          SELECT p.n, p.data, sum(length(p.data)) OVER (ORDER BY p.n) AS chars
          FROM pg_logical_slot_peek_changes(slot, least(flushed, read_to), most_changes, VARIADIC options)
            WITH ORDINALITY AS p(lsn, xid, data, n)
          WHERE turn = 1
        ) AS counted;
      END IF;
    EXCEPTION WHEN OTHERS THEN
      peeked := NULL;
    END;
  END LOOP;
END
$$;
--> statement-breakpoint
REVOKE EXECUTE ON PROCEDURE tidemark.wait_for_wal FROM PUBLIC;
