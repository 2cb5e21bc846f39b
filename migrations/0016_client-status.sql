CREATE TABLE "tidemark"."client_status" (
	"client_id" text PRIMARY KEY NOT NULL,
	"version" bigint NOT NULL,
	"migration" text,
	"waiting" integer NOT NULL,
	"fault" text,
	"told_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
ALTER TABLE "tidemark"."app_migration" ADD COLUMN "breaking" boolean DEFAULT false NOT NULL;