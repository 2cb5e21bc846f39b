CREATE TABLE task (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  team text NOT NULL,
  title text NOT NULL,
  done boolean NOT NULL DEFAULT false
);

-- The second lock: even without Tidemark's own filter, a client would read its team's rows alone.
ALTER TABLE task ENABLE ROW LEVEL SECURITY;
CREATE POLICY task_team ON task FOR SELECT TO tidemark_client
  USING (team = ANY ((SELECT tidemark.audience_values('team'))::text[]));
