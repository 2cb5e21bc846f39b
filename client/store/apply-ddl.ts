import { IS_UNSETTLED, OF_SERVER_ROWS } from './words-ddl.ts'

const SETTINGS = Object.entries(OF_SERVER_ROWS)
  .map(([name, value]) => `SET "${name}" = '${value}'`)
  .join(' ')

/** One call for a small transaction of the server's, because each statement by itself costs as much as the row that it writes. */
export const APPLY_CODE = `
  -- Runs a statement that must affect so many rows, and moves the cursor of what is shown. Answers false where work of the app's own
  -- lies on the rows: then the caller undoes it.
  CREATE OR REPLACE FUNCTION tidemark.apply_statement(
    statement text, parameter text, its_changes bigint, its_cursor text, its_rows bigint
  ) RETURNS boolean LANGUAGE plpgsql ${SETTINGS} AS $$
  DECLARE done bigint;
  BEGIN
    EXECUTE statement USING parameter;
    GET DIAGNOSTICS done = ROW_COUNT;
    IF done <> its_changes THEN RAISE EXCEPTION 'the rows are others than the stream says'; END IF;
    UPDATE tidemark.copy SET cursor = its_cursor, rows = its_rows
    WHERE place = 'live' AND NOT EXISTS (SELECT FROM tidemark.mutation WHERE ${IS_UNSETTLED});
    RETURN found;
  END $$;
`
