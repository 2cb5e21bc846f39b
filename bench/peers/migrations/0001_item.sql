CREATE TABLE item (
  id text PRIMARY KEY, grp int NOT NULL, title text NOT NULL, body text NOT NULL, seq float8 NOT NULL
);
