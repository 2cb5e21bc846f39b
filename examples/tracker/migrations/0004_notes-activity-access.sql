ALTER TABLE public.note REPLICA IDENTITY FULL;
ALTER TABLE public.activity REPLICA IDENTITY FULL;

GRANT SELECT ON public.note, public.activity TO tidemark_client;

ALTER TABLE public.note ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.activity ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_notes ON public.note FOR SELECT TO tidemark_client
  USING (user_id = ANY ((SELECT tidemark.audience_values('user'))::uuid[]));
CREATE POLICY own_organizations ON public.activity FOR SELECT TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
