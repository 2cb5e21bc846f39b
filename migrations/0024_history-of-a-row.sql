DROP INDEX "tidemark"."change_history_row";--> statement-breakpoint
CREATE INDEX "change_history_truncate" ON "tidemark"."change_history" USING btree ("epoch","table_name","lsn","seq") WHERE operation = 'truncate';--> statement-breakpoint
CREATE INDEX "change_history_row" ON "tidemark"."change_history" USING btree (jsonb_hash_extended("row_key", 0),"lsn","seq");