-- An issue may be part of another one of its organisation. What it was part of may go; it stays.
ALTER TABLE public.issue ADD COLUMN parent_id uuid;
ALTER TABLE public.issue ADD CONSTRAINT issue_not_its_own_part CHECK (parent_id <> id);
ALTER TABLE public.issue ADD FOREIGN KEY (org_id, parent_id) REFERENCES public.issue (org_id, id)
  ON DELETE SET NULL (parent_id);
CREATE INDEX issue_parent ON public.issue (parent_id);

-- When something was changed or closed is the server's to say; nothing comes in from the future.
CREATE FUNCTION public.set_issue_times() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    NEW.updated_at := now();
  ELSE
    NEW.created_at := least(NEW.created_at, now());
    NEW.updated_at := least(NEW.updated_at, now());
  END IF;
  IF NEW.state NOT IN ('done', 'cancelled') THEN
    NEW.closed_at := NULL;
  ELSIF NEW.closed_at IS NULL THEN
    NEW.closed_at := now();
  END IF;
  RETURN NEW;
END
$$;
CREATE TRIGGER set_issue_times BEFORE INSERT OR UPDATE ON public.issue
  FOR EACH ROW EXECUTE FUNCTION public.set_issue_times();

-- Checked at the end of a transaction, so that a parent and its subtasks may be closed in any order. It sees rows that
-- its caller may not, and tells nothing of them.
CREATE FUNCTION public.check_subtasks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  own record;
  above record;
BEGIN
  SELECT parent_id, state IN ('done', 'cancelled') AS closed INTO own FROM issue WHERE id = NEW.id;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF own.parent_id IS NOT NULL THEN
    -- Locked: whoever closes the parent at this moment is waited for, or waits.
    SELECT parent_id, state IN ('done', 'cancelled') AS closed INTO above FROM issue WHERE id = own.parent_id FOR SHARE;
    IF above.parent_id IS NOT NULL OR EXISTS (SELECT FROM issue WHERE parent_id = NEW.id) THEN
      RAISE EXCEPTION 'A subtask has no subtasks of its own.'
        USING ERRCODE = 'check_violation', SCHEMA = 'public', TABLE = 'issue', CONSTRAINT = 'issue_one_level_of_subtasks';
    END IF;
    IF above.closed AND NOT own.closed THEN
      RAISE EXCEPTION 'An open subtask keeps its issue open.'
        USING ERRCODE = 'check_violation', SCHEMA = 'public', TABLE = 'issue', CONSTRAINT = 'issue_open_subtask';
    END IF;
  END IF;
  IF own.closed AND EXISTS (SELECT FROM issue WHERE parent_id = NEW.id AND state NOT IN ('done', 'cancelled')) THEN
    RAISE EXCEPTION 'An open subtask keeps its issue open.'
      USING ERRCODE = 'check_violation', SCHEMA = 'public', TABLE = 'issue', CONSTRAINT = 'issue_open_subtask';
  END IF;
  RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER check_subtasks AFTER INSERT OR UPDATE OF state, parent_id ON public.issue
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.check_subtasks();

-- Which mutation an event was recorded for: a worker that is told of it twice records it once.
ALTER TABLE public.activity ADD COLUMN mutation_id text;
CREATE UNIQUE INDEX activity_mutation ON public.activity (mutation_id, issue_id, kind);
