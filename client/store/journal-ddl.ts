import { IS_SAID, IS_UNSETTLED, SAID } from './words-ddl.ts'

/** The journal's reads of the outbox: one call each, because a statement by itself is planned anew. */
export const JOURNAL_CODE = `
  -- The mutations after \`seen\` that wait for something, as they are kept outside of the database.
  CREATE OR REPLACE FUNCTION tidemark.made_since(seen bigint) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  DECLARE last bigint; made json;
  BEGIN
    SELECT counter INTO last FROM tidemark.owner;
    IF last > seen THEN
      SELECT json_agg(json_build_object('counter', m.counter, 'kind', m.kind, 'origin', m.origin,
        'tab', m.tab, 'call', m.call, 'name', m.name,
        'args', m.args, 'keys', m.keys, 'at', m.at, 'patch', m.patch, 'request', m.request, 'predicted', m.predicted,
        'said', m.said::json,
        'rejection', CASE WHEN m.status = 'failed' THEN m.rejection END,
        'took', CASE WHEN m.request IS NULL THEN '[]'::json ELSE coalesce((
          SELECT json_agg(t.counter) FROM tidemark.mutation t WHERE t.squashed_into = m.counter), '[]') END,
        'writes', CASE WHEN m.kind = 'patch' AND m.patch IS NULL THEN coalesce((
          SELECT json_agg(json_build_object('table_id', w.table_id, 'op', w.op, 'key', w.key, 'before', w.before,
            'after', w.after) ORDER BY w.position) FROM tidemark.write w WHERE w.counter = m.counter), '[]')
          ELSE '[]'::json END
        ) ORDER BY m.counter) INTO made
      FROM tidemark.mutation m WHERE m.counter > seen AND (${IS_UNSETTLED} OR m.status = 'failed' AND m.squashed_into IS NULL);
    END IF;
    RETURN json_build_object('last', last, 'made', coalesce(made, '[]'),
      'hash', (SELECT hash FROM tidemark.copy WHERE place = 'live'), 'said', (SELECT ${SAID} FROM tidemark.copy WHERE ${IS_SAID}));
  END $$;

  -- Of these mutations those that failed or are done with. One that was taken in ends as the one that took it in.
  CREATE OR REPLACE FUNCTION tidemark.ended_of(counters text) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
  BEGIN
    RETURN (SELECT coalesce(json_agg(json_build_object('counter', asked.counter, 'status', h.status,
        'rejection', h.rejection)), '[]')
      FROM (SELECT value::bigint AS counter FROM json_array_elements_text(counters::json)) AS asked
      LEFT JOIN tidemark.mutation m ON m.counter = asked.counter
      LEFT JOIN tidemark.mutation h ON h.counter = coalesce(m.squashed_into, m.counter)
      WHERE h.counter IS NULL OR h.status IN ('confirmed', 'failed'));
  END $$;
`
