CREATE TABLE note (
  id text PRIMARY KEY,
  board text NOT NULL,
  title text NOT NULL,
  state text NOT NULL DEFAULT 'open',
  body text NOT NULL DEFAULT '',
  count integer NOT NULL DEFAULT 0,
  slug text UNIQUE
);
CREATE TABLE comment (
  id text PRIMARY KEY,
  board text NOT NULL,
  note_id text NOT NULL REFERENCES note (id) ON DELETE CASCADE,
  body text NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON note, comment TO tidemark_client;
ALTER TABLE note ENABLE ROW LEVEL SECURITY;
ALTER TABLE comment ENABLE ROW LEVEL SECURITY;
CREATE POLICY note_of_board ON note TO tidemark_client
  USING (current_setting('tidemark.audiences')::jsonb ? ('board:' || board));
CREATE POLICY comment_of_board ON comment TO tidemark_client
  USING (current_setting('tidemark.audiences')::jsonb ? ('board:' || board));
