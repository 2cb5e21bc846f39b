-- Members are read column by column, because one of them stays on the server.
GRANT SELECT (created_at, updated_at, version) ON public.membership TO tidemark_client;
