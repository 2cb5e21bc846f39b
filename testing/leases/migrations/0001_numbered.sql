CREATE TABLE public.ticket (id serial PRIMARY KEY, org_id uuid NOT NULL, title text, parent_id int REFERENCES public.ticket);
--> statement-breakpoint
CREATE TABLE public.note (id bigint GENERATED ALWAYS AS IDENTITY (INCREMENT 10) PRIMARY KEY, org_id uuid NOT NULL,
  ticket_id int REFERENCES public.ticket ON DELETE CASCADE, body text);
--> statement-breakpoint
CREATE TABLE public.scarce (id smallserial PRIMARY KEY, org_id uuid NOT NULL);
--> statement-breakpoint
SELECT setval('public.scarce_id_seq', 32767 - 200);
--> statement-breakpoint
ALTER TABLE public.ticket ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE public.note ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
ALTER TABLE public.scarce ENABLE ROW LEVEL SECURITY;
--> statement-breakpoint
CREATE POLICY member ON public.ticket TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]));
--> statement-breakpoint
CREATE POLICY member ON public.note TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]));
--> statement-breakpoint
CREATE POLICY member ON public.scarce TO tidemark_client USING (org_id::text = ANY ((SELECT tidemark.audience_values('org'))::text[]));
