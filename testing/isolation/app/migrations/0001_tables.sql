CREATE TABLE memo (id text PRIMARY KEY, org_id text NOT NULL, title text NOT NULL, secret text NOT NULL DEFAULT 'hush');
CREATE TABLE diary (id text PRIMARY KEY, user_id text NOT NULL, body text NOT NULL, UNIQUE (user_id, body));
CREATE TABLE plan (id text PRIMARY KEY, org_id text NOT NULL, body text NOT NULL);
CREATE TABLE remark (id text PRIMARY KEY, memo_id text REFERENCES memo ON DELETE CASCADE, body text, hushed boolean);
CREATE TABLE mark (id text PRIMARY KEY, remark_id text REFERENCES remark ON DELETE CASCADE, body text);
CREATE TABLE vault (id text PRIMARY KEY, org_id text NOT NULL, body text NOT NULL);
CREATE TABLE member (user_id text, org_id text, PRIMARY KEY (user_id, org_id));

ALTER TABLE memo ENABLE ROW LEVEL SECURITY;
ALTER TABLE diary ENABLE ROW LEVEL SECURITY;
ALTER TABLE plan ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON memo TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::text[]));
CREATE POLICY own ON diary TO tidemark_client USING (user_id = ANY ((SELECT tidemark.audience_values('user'))::text[]));
CREATE POLICY own ON plan TO tidemark_client USING (org_id = ANY ((SELECT tidemark.audience_values('org'))::text[]));
