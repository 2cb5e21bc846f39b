CREATE TABLE item (id text PRIMARY KEY, org_id text NOT NULL, title text NOT NULL);
CREATE TABLE membership (user_id text NOT NULL, org_id text NOT NULL, secret text NOT NULL DEFAULT 'hush', PRIMARY KEY (user_id, org_id));
GRANT SELECT (user_id, org_id) ON membership TO tidemark_client;
