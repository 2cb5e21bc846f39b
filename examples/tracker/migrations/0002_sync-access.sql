-- An update or delete is only told to the right audience when the log holds the whole old row.
ALTER TABLE public.organization REPLICA IDENTITY FULL;
ALTER TABLE public.membership REPLICA IDENTITY FULL;
ALTER TABLE public.project REPLICA IDENTITY FULL;
ALTER TABLE public.issue REPLICA IDENTITY FULL;
ALTER TABLE public.label REPLICA IDENTITY FULL;
ALTER TABLE public.issue_label REPLICA IDENTITY FULL;
ALTER TABLE public.comment REPLICA IDENTITY FULL;

-- What runs on behalf of a client sees the organisations of its session and nothing else.
GRANT USAGE ON SCHEMA public TO tidemark_client;
GRANT SELECT ON public.organization, public.project, public.issue, public.label, public.issue_label, public.comment
  TO tidemark_client;
GRANT SELECT (id, org_id, user_id, display_name, email, role, joined_at) ON public.membership TO tidemark_client;

ALTER TABLE public.app_user ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.organization ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.membership ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.project ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.issue ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.label ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.issue_label ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.comment ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_organizations ON public.organization FOR SELECT TO tidemark_client
  USING (id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY own_organizations ON public.membership FOR SELECT TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY own_organizations ON public.project FOR SELECT TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY own_organizations ON public.issue FOR SELECT TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY own_organizations ON public.label FOR SELECT TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY own_organizations ON public.issue_label FOR SELECT TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY own_organizations ON public.comment FOR SELECT TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));

-- Before a session knows its audiences it asks which organisations its user belongs to.
CREATE POLICY own_memberships ON public.membership FOR SELECT TO tidemark_client
  USING (user_id::text = (SELECT tidemark.user_id()));
