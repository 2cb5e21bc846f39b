-- Made by `tidemark migration:generate versions`. Read what it does to your rows; from now on it is yours to change.
-- When an issue was changed stays for set_issue_times to say: its trigger comes before the one that counts.

-- Sets the default of column id of app_user; rows keep what they hold.
ALTER TABLE "public"."app_user" ALTER COLUMN "id" SET DEFAULT gen_random_uuid();
--> statement-breakpoint
-- Adds column updated_at to app_user. Rows that exist get its default.
ALTER TABLE "public"."app_user" ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column version to app_user. Rows that exist get its default.
ALTER TABLE "public"."app_user" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Adds column updated_at to comment. Rows that exist get its default.
ALTER TABLE "public"."comment" ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column version to comment. Rows that exist get its default.
ALTER TABLE "public"."comment" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Adds column version to issue. Rows that exist get its default.
ALTER TABLE "public"."issue" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Adds column created_at to label. Rows that exist get its default.
ALTER TABLE "public"."label" ADD COLUMN "created_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column updated_at to label. Rows that exist get its default.
ALTER TABLE "public"."label" ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column version to label. Rows that exist get its default.
ALTER TABLE "public"."label" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Adds column created_at to membership. Rows that exist get its default.
ALTER TABLE "public"."membership" ADD COLUMN "created_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column updated_at to membership. Rows that exist get its default.
ALTER TABLE "public"."membership" ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column version to membership. Rows that exist get its default.
ALTER TABLE "public"."membership" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Adds column updated_at to note. Rows that exist get its default.
ALTER TABLE "public"."note" ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column version to note. Rows that exist get its default.
ALTER TABLE "public"."note" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Sets the default of column id of organization; rows keep what they hold.
ALTER TABLE "public"."organization" ALTER COLUMN "id" SET DEFAULT gen_random_uuid();
--> statement-breakpoint
-- Adds column updated_at to organization. Rows that exist get its default.
ALTER TABLE "public"."organization" ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column version to organization. Rows that exist get its default.
ALTER TABLE "public"."organization" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Adds column updated_at to project. Rows that exist get its default.
ALTER TABLE "public"."project" ADD COLUMN "updated_at" timestamp with time zone NOT NULL DEFAULT now();
--> statement-breakpoint
-- Adds column version to project. Rows that exist get its default.
ALTER TABLE "public"."project" ADD COLUMN "version" integer NOT NULL DEFAULT 1;
--> statement-breakpoint
-- Makes the function that counts versions and sets updated_at.
CREATE FUNCTION public.tidemark_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  generated jsonb := (SELECT jsonb_object_agg(name, NULL::text) FROM unnest(TG_ARGV) AS argument (name));
BEGIN
  IF TG_NARGS = 0 AND OLD *= NEW THEN
    RETURN NEW;
  END IF;
  IF TG_NARGS > 0 AND jsonb_populate_record(OLD, generated) *= jsonb_populate_record(NEW, generated) THEN
    RETURN NEW;
  END IF;
  NEW.version := OLD.version + 1;
  IF NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at THEN
    NEW.updated_at := now();
  END IF;
  RETURN NEW;
END
$$;
--> statement-breakpoint
-- Counts versions in app_user, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.app_user FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
--> statement-breakpoint
-- Counts versions in comment, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.comment FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
--> statement-breakpoint
-- Counts versions in issue, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.issue FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
--> statement-breakpoint
-- Counts versions in label, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.label FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
--> statement-breakpoint
-- Counts versions in membership, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.membership FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
--> statement-breakpoint
-- Counts versions in note, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.note FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
--> statement-breakpoint
-- Counts versions in organization, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.organization FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
--> statement-breakpoint
-- Counts versions in project, whoever writes.
CREATE TRIGGER version_counted BEFORE UPDATE ON public.project FOR EACH ROW EXECUTE FUNCTION public.tidemark_count_version();
