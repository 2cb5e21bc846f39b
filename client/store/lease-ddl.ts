import { NO_KEY_LEFT } from './words-ddl.ts'

/** SQLSTATE where a new row is given a key that this replica did not lease. */
const KEY_NOT_LEASED = 'TMK02'

/** The functions by which new rows get keys of sequences: always this library's. */
export const LEASE_CODE = `
  -- The default of a column that a sequence numbers. A key that a row has by now, which somebody made by hand, is passed over.
  CREATE OR REPLACE FUNCTION tidemark.next_key(of_sequence text, of_table text, of_column text) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE given bigint; is_there boolean; current bigint := nullif(current_setting('tidemark.mutation', true), '')::bigint;
  BEGIN
    -- A mutation that is done again gets the keys that it took before, of rows that are gone for the moment.
    FOR given IN SELECT key FROM tidemark.leased_key WHERE taken_by = current AND sequence = of_sequence ORDER BY key LOOP
      EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I = $1)', of_table, of_column) INTO is_there USING given;
      IF NOT is_there THEN RETURN given; END IF;
    END LOOP;
    RETURN tidemark.take_key(of_sequence, of_table, of_column, current);
  END $$;

  -- Takes the next key, for the mutation that may take it again where it is done again; NULL: for one that keeps it by itself.
  CREATE OR REPLACE FUNCTION tidemark.take_key(of_sequence text, of_table text, of_column text, by_mutation bigint) RETURNS bigint
  LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE given bigint; is_there boolean;
  BEGIN
    LOOP
      UPDATE tidemark.leased_key SET taken = true, taken_by = by_mutation WHERE sequence = of_sequence AND key = (
        SELECT min(key) FROM tidemark.leased_key WHERE sequence = of_sequence AND NOT taken) RETURNING key INTO given;
      IF given IS NULL THEN
        RAISE EXCEPTION 'none is left of the keys that this replica leased for table %', of_table
          USING ERRCODE = '${NO_KEY_LEFT}', HINT = 'Go online: it leases more by itself. What was written before is kept.';
      END IF;
      EXECUTE format('SELECT EXISTS (SELECT FROM %s WHERE %I = $1)', of_table, of_column) INTO is_there USING given;
      EXIT WHEN NOT is_there;
    END LOOP;
    RETURN given;
  END $$;

  -- Admits a new row by its key: one that was leased here, and then it is taken.
  CREATE OR REPLACE FUNCTION tidemark.require_key(of_sequence text, given bigint, of_table text) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    IF current_setting('tidemark.redo', true) = 'on' OR current_setting('tidemark.keys', true) = 'given' THEN RETURN; END IF;
    UPDATE tidemark.leased_key SET taken = true WHERE sequence = of_sequence AND key = given;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'a row of table % has key %, which this replica did not lease', of_table, given
        USING ERRCODE = '${KEY_NOT_LEASED}', HINT = 'Leave the key out of the INSERT: its default is a key of the table''s sequence.';
    END IF;
  END $$;
`
