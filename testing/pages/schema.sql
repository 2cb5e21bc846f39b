-- What tables the SQL of the guides speaks of, where a page shows none.
CREATE TABLE project (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), org_id uuid NOT NULL);
--> statement-breakpoint
CREATE TABLE issue (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), org_id uuid NOT NULL, author_id text, title text, state text,
  rank integer);
--> statement-breakpoint
CREATE TABLE bill (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), amount integer);
--> statement-breakpoint
CREATE TABLE invoice (invoice_id bigint PRIMARY KEY, customer_id integer, state text);
--> statement-breakpoint
CREATE TABLE task (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), team text NOT NULL)
