CREATE TYPE public.state AS ENUM ('open', 'done');
--> statement-breakpoint
CREATE TABLE public.task (
  id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, title varchar(40), size integer, state public.state
);
--> statement-breakpoint
CREATE TABLE public.note (id uuid PRIMARY KEY, org text NOT NULL, team text NOT NULL, body text, weight integer NOT NULL DEFAULT 1);
