CREATE TABLE project (id int PRIMARY KEY, org text, name text);
--> statement-breakpoint
CREATE TABLE issue (id int PRIMARY KEY, project_id int REFERENCES project ON DELETE CASCADE, title text, deleted_at timestamp);
--> statement-breakpoint
CREATE TABLE comment (id int PRIMARY KEY, issue_id int REFERENCES issue ON DELETE SET NULL, body text);
--> statement-breakpoint
CREATE TABLE page (id int PRIMARY KEY, org text, state text, body text);
--> statement-breakpoint
CREATE INDEX ON issue (project_id);
--> statement-breakpoint
CREATE INDEX ON comment (issue_id);
