CREATE TABLE "tidemark"."table_shape" (
	"version" bigint NOT NULL,
	"table_id" text NOT NULL,
	"relation" text NOT NULL,
	"mark" text NOT NULL,
	"shape" jsonb NOT NULL,
	"unplaced" boolean DEFAULT false NOT NULL,
	CONSTRAINT "table_shape_version_table_id_pk" PRIMARY KEY("version","table_id")
);
--> statement-breakpoint
CREATE INDEX "table_shape_unplaced" ON "tidemark"."table_shape" USING btree ("version") WHERE unplaced;