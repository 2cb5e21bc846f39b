CREATE TABLE public.person (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL,
  name text NOT NULL,
  UNIQUE (org_id, id)
);

CREATE TABLE public.list (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL,
  name text NOT NULL,
  UNIQUE (org_id, id),
  UNIQUE (org_id, name)
);

CREATE TABLE public.task (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL,
  list_id uuid NOT NULL,
  parent_id uuid,
  title text NOT NULL,
  notes text NOT NULL DEFAULT '',
  done boolean NOT NULL DEFAULT false,
  assignee_id uuid,
  doc jsonb,
  weight numeric(8, 2) NOT NULL DEFAULT 0,
  touched_at timestamptz NOT NULL DEFAULT now(),
  revision int NOT NULL DEFAULT 0,
  UNIQUE (org_id, id),
  FOREIGN KEY (org_id, list_id) REFERENCES public.list (org_id, id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, parent_id) REFERENCES public.task (org_id, id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, assignee_id) REFERENCES public.person (org_id, id)
);

-- Never deleted: what was added to it can be counted at the end.
CREATE TABLE public.tally (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL,
  count int NOT NULL DEFAULT 0,
  log text NOT NULL DEFAULT ''
);

-- One row of each mutation that a run keeps account of, with a key that no two runs of the mutation share by accident.
CREATE TABLE public.entry (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL,
  token text NOT NULL
);

-- Its partitions come and go.
CREATE TABLE public.visit (
  id uuid,
  month int,
  org_id uuid NOT NULL,
  word text NOT NULL,
  PRIMARY KEY (id, month)
) PARTITION BY LIST (month);
CREATE TABLE public.visit_0 PARTITION OF public.visit FOR VALUES IN (0);
CREATE TABLE public.visit_1 PARTITION OF public.visit FOR VALUES IN (1);
CREATE TABLE public.visit_2 PARTITION OF public.visit FOR VALUES IN (2);

-- Who sees a remark follows from its board, who sees a reply from its remark.
CREATE TABLE public.board (id uuid PRIMARY KEY, org_id uuid);
CREATE TABLE public.remark (
  id uuid PRIMARY KEY,
  board_id uuid NOT NULL REFERENCES public.board,
  word text NOT NULL,
  hidden boolean NOT NULL DEFAULT false
);
CREATE TABLE public.reply (
  id uuid PRIMARY KEY,
  remark_id uuid NOT NULL REFERENCES public.remark ON DELETE CASCADE,
  word text NOT NULL
);

-- Numbered by sequences, of which replicas lease keys.
CREATE TABLE public.ticket (
  id serial PRIMARY KEY,
  org_id uuid NOT NULL,
  word text NOT NULL,
  mark text,
  UNIQUE (org_id, id)
);
CREATE TABLE public.answer (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  org_id uuid NOT NULL,
  ticket_id int NOT NULL,
  word text NOT NULL,
  FOREIGN KEY (org_id, ticket_id) REFERENCES public.ticket (org_id, id) ON DELETE CASCADE
);

CREATE TABLE public.membership (user_id text NOT NULL, org_id uuid NOT NULL, PRIMARY KEY (user_id, org_id));
GRANT SELECT ON public.membership TO tidemark_client;

CREATE FUNCTION public.touch_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision := OLD.revision + 1;
  NEW.touched_at := now();
  RETURN NEW;
END $$;
CREATE TRIGGER touch BEFORE UPDATE ON public.task FOR EACH ROW EXECUTE FUNCTION public.touch_task();

-- A task that is done has no open subtask, whoever writes and whatever happens at the same time.
CREATE FUNCTION public.check_subtasks() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  parent_done boolean;
BEGIN
  IF NOT NEW.done AND NEW.parent_id IS NOT NULL THEN
    SELECT done INTO parent_done FROM public.task WHERE id = NEW.parent_id FOR SHARE;
    IF parent_done THEN
      RAISE EXCEPTION 'an open subtask of a task that is done' USING ERRCODE = 'check_violation', CONSTRAINT = 'done_with_subtasks';
    END IF;
  END IF;
  IF NEW.done AND EXISTS (SELECT FROM public.task WHERE parent_id = NEW.id AND NOT done) THEN
    RAISE EXCEPTION 'a task that is done with an open subtask' USING ERRCODE = 'check_violation', CONSTRAINT = 'done_with_subtasks';
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER subtasks AFTER INSERT OR UPDATE ON public.task FOR EACH ROW EXECUTE FUNCTION public.check_subtasks();

DO $$
DECLARE
  name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['person', 'list', 'task', 'tally', 'entry', 'visit', 'board', 'ticket', 'answer'] LOOP
    EXECUTE format('ALTER TABLE public.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format(
      'CREATE POLICY own_orgs ON public.%I TO tidemark_client
         USING (org_id = ANY ((SELECT tidemark.audience_values(''org''))::uuid[]))
         WITH CHECK (org_id = ANY ((SELECT tidemark.audience_values(''org''))::uuid[]))', name);
  END LOOP;
END $$;

-- Each stands on what the writer sees of the row above it.
ALTER TABLE public.remark ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_board ON public.remark TO tidemark_client USING (EXISTS (SELECT FROM public.board b WHERE b.id = board_id));
ALTER TABLE public.reply ENABLE ROW LEVEL SECURITY;
CREATE POLICY of_remark ON public.reply TO tidemark_client USING (EXISTS (SELECT FROM public.remark r WHERE r.id = remark_id));
