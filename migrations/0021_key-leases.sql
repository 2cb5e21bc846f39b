CREATE TABLE "tidemark"."key_lease" (
	"client_id" text NOT NULL,
	"sequence" text NOT NULL,
	"user_id" text NOT NULL,
	"keys" "int8multirange" NOT NULL,
	"drawn_on" date NOT NULL,
	"drawn" integer NOT NULL,
	CONSTRAINT "key_lease_client_id_sequence_pk" PRIMARY KEY("client_id","sequence")
);
--> statement-breakpoint
CREATE INDEX "key_lease_user" ON "tidemark"."key_lease" USING btree ("user_id","sequence");