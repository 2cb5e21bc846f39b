CREATE TABLE task (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  team text NOT NULL,
  title text NOT NULL,
  done boolean NOT NULL DEFAULT false
);
