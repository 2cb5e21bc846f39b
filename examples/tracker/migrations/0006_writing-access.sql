-- Which columns are open to writing follows from the sync definition; which rows, from here. Members write what belongs
-- to their organisations, and in nobody else's name. Organisations, members, projects and activity stay the server's.
CREATE FUNCTION public.own_memberships() RETURNS SETOF uuid LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT id FROM membership WHERE user_id::text = tidemark.user_id()
$$;

CREATE POLICY insert_own ON public.issue FOR INSERT TO tidemark_client
  WITH CHECK (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[])
    AND creator_id IN (SELECT public.own_memberships()));
CREATE POLICY update_own ON public.issue FOR UPDATE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
-- What others have talked about is cancelled, not deleted: so whoever deletes can bring back all that went.
CREATE POLICY delete_own ON public.issue FOR DELETE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[])
    AND creator_id IN (SELECT public.own_memberships())
    AND NOT EXISTS (SELECT FROM public.comment WHERE comment.issue_id = issue.id
      AND comment.author_id NOT IN (SELECT public.own_memberships())));

CREATE POLICY insert_own ON public.label FOR INSERT TO tidemark_client
  WITH CHECK (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY update_own ON public.label FOR UPDATE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY delete_own ON public.label FOR DELETE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));

CREATE POLICY insert_own ON public.issue_label FOR INSERT TO tidemark_client
  WITH CHECK (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY update_own ON public.issue_label FOR UPDATE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY delete_own ON public.issue_label FOR DELETE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));

-- Everyone speaks for himself.
CREATE POLICY insert_own ON public.comment FOR INSERT TO tidemark_client
  WITH CHECK (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[])
    AND author_id IN (SELECT public.own_memberships()));
CREATE POLICY update_own ON public.comment FOR UPDATE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[])
    AND author_id IN (SELECT public.own_memberships()));
CREATE POLICY delete_own ON public.comment FOR DELETE TO tidemark_client
  USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[])
    AND author_id IN (SELECT public.own_memberships()));

CREATE POLICY insert_own ON public.note FOR INSERT TO tidemark_client
  WITH CHECK (user_id::text = tidemark.user_id()
    AND org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY update_own ON public.note FOR UPDATE TO tidemark_client
  USING (user_id::text = tidemark.user_id())
  WITH CHECK (user_id::text = tidemark.user_id()
    AND org_id = ANY ((SELECT tidemark.audience_values('org'))::uuid[]));
CREATE POLICY delete_own ON public.note FOR DELETE TO tidemark_client
  USING (user_id::text = tidemark.user_id());
