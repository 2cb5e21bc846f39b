CREATE TABLE "tidemark"."consumer" (
	"name" text PRIMARY KEY NOT NULL,
	"epoch" text NOT NULL,
	"lsn" "pg_lsn" NOT NULL,
	"seq" integer NOT NULL,
	"lease" text,
	"leased_until" timestamp with time zone,
	"moved_at" timestamp with time zone DEFAULT now() NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
