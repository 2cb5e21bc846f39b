CREATE SCHEMA "tidemark";
--> statement-breakpoint
CREATE TABLE "tidemark"."app_migration" (
	"name" text PRIMARY KEY NOT NULL,
	"hash" text NOT NULL,
	"applied_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tidemark"."change_history" (
	"epoch" text NOT NULL,
	"lsn" "pg_lsn" NOT NULL,
	"seq" integer NOT NULL,
	"xid" bigint NOT NULL,
	"transaction_id" "xid8" NOT NULL,
	"table_name" text NOT NULL,
	"operation" text NOT NULL,
	"row_key" jsonb,
	"data" jsonb,
	"old_data" jsonb,
	"audience" text,
	"schema_version" bigint NOT NULL,
	"committed_at" timestamp with time zone NOT NULL,
	"client_id" text,
	"mutation_id" text,
	"metadata" jsonb,
	CONSTRAINT "change_history_epoch_lsn_seq_pk" PRIMARY KEY("epoch","lsn","seq")
);
--> statement-breakpoint
CREATE TABLE "tidemark"."client" (
	"id" text PRIMARY KEY NOT NULL,
	"user_id" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tidemark"."epoch" (
	"id" text PRIMARY KEY NOT NULL,
	"slot_name" text NOT NULL,
	"owner" text NOT NULL,
	"decoder" text NOT NULL,
	"system_identifier" text NOT NULL,
	"timeline" integer NOT NULL,
	"start_lsn" "pg_lsn" NOT NULL,
	"start_xid" "xid8" NOT NULL,
	"head_lsn" "pg_lsn" NOT NULL,
	"floor_lsn" "pg_lsn" NOT NULL,
	"definition_version" bigint NOT NULL,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"ended_at" timestamp with time zone,
	"end_reason" text
);
--> statement-breakpoint
CREATE TABLE "tidemark"."sync_definition" (
	"version" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "tidemark"."sync_definition_version_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"hash" text NOT NULL,
	"definition" jsonb NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE INDEX "change_history_audience" ON "tidemark"."change_history" USING btree ("epoch","audience","lsn","seq");--> statement-breakpoint
CREATE INDEX "change_history_row" ON "tidemark"."change_history" USING btree ("table_name",md5("row_key"::text));--> statement-breakpoint
CREATE INDEX "change_history_transaction" ON "tidemark"."change_history" USING btree ("epoch","transaction_id") WHERE seq = 0;--> statement-breakpoint
CREATE INDEX "change_history_mutation" ON "tidemark"."change_history" USING btree ("client_id","mutation_id") WHERE mutation_id is not null;