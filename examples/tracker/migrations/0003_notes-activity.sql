-- Archived, not gone: its issues stay readable, the lists leave it out.
ALTER TABLE public.project ADD COLUMN deleted_at timestamptz;

-- What somebody writes to an issue for himself. Its audience is one person, so no colleague's replica ever holds it.
CREATE TABLE public.note (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id uuid NOT NULL REFERENCES public.app_user (id),
  org_id uuid NOT NULL REFERENCES public.organization (id),
  issue_id uuid NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (org_id, issue_id) REFERENCES public.issue (org_id, id) ON DELETE CASCADE
);
CREATE INDEX note_issue ON public.note (issue_id, created_at);
CREATE INDEX note_user ON public.note (user_id);

CREATE TYPE public.activity_kind AS ENUM ('state', 'priority', 'assignee');

-- What happened to issues, in the order in which the server wrote it down.
CREATE TABLE public.activity (
  id bigserial PRIMARY KEY,
  org_id uuid NOT NULL REFERENCES public.organization (id),
  issue_id uuid NOT NULL,
  actor_id uuid NOT NULL,
  kind public.activity_kind NOT NULL,
  -- The new state or priority, or the name of the new assignee as it was then.
  value text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (org_id, issue_id) REFERENCES public.issue (org_id, id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, actor_id) REFERENCES public.membership (org_id, id)
);
CREATE INDEX activity_issue ON public.activity (issue_id, id);
