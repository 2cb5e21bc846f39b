CREATE TABLE task (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  team text NOT NULL,
  title text NOT NULL,
  done boolean NOT NULL DEFAULT false
);

-- The second lock: even without Tidemark's own checks, a client would read and write its team's rows alone.
ALTER TABLE task ENABLE ROW LEVEL SECURITY;
CREATE POLICY task_team ON task TO tidemark_client
  USING (team = ANY ((SELECT tidemark.audience_values('team'))::text[]))
  WITH CHECK (team = ANY ((SELECT tidemark.audience_values('team'))::text[]));
