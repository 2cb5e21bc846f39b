ALTER TABLE "tidemark"."app_migration" ADD COLUMN "after" text;--> statement-breakpoint
ALTER TABLE "tidemark"."app_migration" ADD COLUMN "version" bigint;--> statement-breakpoint
ALTER TABLE "tidemark"."app_migration" ADD COLUMN "up" jsonb;--> statement-breakpoint
ALTER TABLE "tidemark"."app_migration" ADD COLUMN "down" jsonb;--> statement-breakpoint
ALTER TABLE "tidemark"."mutation" ADD COLUMN "version" bigint;