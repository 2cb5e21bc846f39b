CREATE TABLE "tidemark"."committed_call" (
	"client_id" text NOT NULL,
	"counter" bigint NOT NULL,
	"mutation" jsonb NOT NULL,
	"attempts" integer DEFAULT 0 NOT NULL,
	"due_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "committed_call_client_id_counter_pk" PRIMARY KEY("client_id","counter")
);
--> statement-breakpoint
CREATE TABLE "tidemark"."mutation" (
	"client_id" text NOT NULL,
	"counter" bigint NOT NULL,
	"user_id" text NOT NULL,
	"digest" text NOT NULL,
	"status" text NOT NULL,
	"rejection" jsonb,
	"predicted" jsonb,
	"effects" jsonb,
	"transaction_id" "xid8" DEFAULT pg_current_xact_id() NOT NULL,
	"decided_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "mutation_client_id_counter_pk" PRIMARY KEY("client_id","counter")
);
--> statement-breakpoint
ALTER TABLE "tidemark"."client" ADD COLUMN "mutation_floor" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "committed_call_due" ON "tidemark"."committed_call" USING btree ("due_at");
--> statement-breakpoint
-- Says who or what is behind a transaction: it stands in the metadata of each of its changes in history, and is told to no client.
CREATE FUNCTION tidemark.annotate(metadata jsonb) RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog AS $$
  SELECT pg_logical_emit_message(true, 'tidemark.annotate', metadata::text)
$$;
