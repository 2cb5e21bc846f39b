-- Makes the function that counts versions and sets updated_at.
CREATE OR REPLACE FUNCTION public.tidemark_count_version() RETURNS trigger LANGUAGE plpgsql AS $$
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
  IF NEW.updated_at <= OLD.updated_at THEN
    NEW.updated_at := now();
  END IF;
  RETURN NEW;
END
$$;
