CREATE TYPE public.member_role AS ENUM ('owner', 'admin', 'member', 'guest');
CREATE TYPE public.issue_state AS ENUM ('backlog', 'todo', 'in_progress', 'in_review', 'done', 'cancelled');
CREATE TYPE public.issue_priority AS ENUM ('urgent', 'high', 'medium', 'low', 'none');

-- Who may log in. It stays on the server: an organisation sees its members through membership alone.
CREATE TABLE public.app_user (
  id uuid PRIMARY KEY,
  email text NOT NULL UNIQUE,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE public.organization (
  id uuid PRIMARY KEY,
  name text NOT NULL,
  slug text NOT NULL UNIQUE,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Every other table carries org_id, and every reference includes it: a row can only point into its own organisation,
-- and a replica that holds the row holds what it points to.
CREATE TABLE public.membership (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  org_id uuid NOT NULL REFERENCES public.organization (id),
  user_id uuid NOT NULL REFERENCES public.app_user (id),
  display_name text NOT NULL,
  email text NOT NULL,
  role public.member_role NOT NULL DEFAULT 'member',
  -- Never leaves the server.
  invite_hash text,
  joined_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (org_id, id),
  UNIQUE (org_id, user_id)
);
CREATE INDEX membership_user ON public.membership (user_id);

CREATE TABLE public.project (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  org_id uuid NOT NULL REFERENCES public.organization (id),
  key text NOT NULL CHECK (key ~ '^[A-Z]{2,5}$'),
  name text NOT NULL,
  description text NOT NULL DEFAULT '',
  lead_id uuid,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (org_id, id),
  UNIQUE (org_id, key),
  FOREIGN KEY (org_id, lead_id) REFERENCES public.membership (org_id, id)
);

CREATE TABLE public.issue (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  org_id uuid NOT NULL REFERENCES public.organization (id),
  project_id uuid NOT NULL,
  number integer NOT NULL,
  title text NOT NULL,
  body text NOT NULL DEFAULT '',
  state public.issue_state NOT NULL DEFAULT 'backlog',
  priority public.issue_priority NOT NULL DEFAULT 'none',
  assignee_id uuid,
  creator_id uuid NOT NULL,
  due_on date,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  closed_at timestamptz,
  UNIQUE (org_id, id),
  UNIQUE (project_id, number),
  FOREIGN KEY (org_id, project_id) REFERENCES public.project (org_id, id),
  FOREIGN KEY (org_id, assignee_id) REFERENCES public.membership (org_id, id),
  FOREIGN KEY (org_id, creator_id) REFERENCES public.membership (org_id, id)
);
CREATE INDEX issue_recent ON public.issue (org_id, updated_at DESC);
CREATE INDEX issue_project ON public.issue (project_id, updated_at DESC);
CREATE INDEX issue_assignee ON public.issue (assignee_id);

CREATE TABLE public.label (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  org_id uuid NOT NULL REFERENCES public.organization (id),
  name text NOT NULL,
  color text NOT NULL CHECK (color ~ '^#[0-9a-f]{6}$'),
  UNIQUE (org_id, id),
  UNIQUE (org_id, name)
);

CREATE TABLE public.issue_label (
  org_id uuid NOT NULL REFERENCES public.organization (id),
  issue_id uuid NOT NULL,
  label_id uuid NOT NULL,
  PRIMARY KEY (issue_id, label_id),
  FOREIGN KEY (org_id, issue_id) REFERENCES public.issue (org_id, id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, label_id) REFERENCES public.label (org_id, id) ON DELETE CASCADE
);
CREATE INDEX issue_label_label ON public.issue_label (label_id);

CREATE TABLE public.comment (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  org_id uuid NOT NULL REFERENCES public.organization (id),
  issue_id uuid NOT NULL,
  author_id uuid NOT NULL,
  body text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  edited_at timestamptz,
  FOREIGN KEY (org_id, issue_id) REFERENCES public.issue (org_id, id) ON DELETE CASCADE,
  FOREIGN KEY (org_id, author_id) REFERENCES public.membership (org_id, id)
);
CREATE INDEX comment_issue ON public.comment (issue_id, created_at);
