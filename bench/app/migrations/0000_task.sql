CREATE TABLE public.task (
  id uuid PRIMARY KEY,
  org_id uuid NOT NULL,
  number int8 NOT NULL,
  title text NOT NULL,
  body text,
  done boolean NOT NULL DEFAULT false,
  labels text[],
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX task_number ON public.task (org_id, number);
