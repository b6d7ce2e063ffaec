-- Revert esteira:outreach/roles from pg
--
-- A role that another database of the cluster still uses stays.

BEGIN;

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['esteira_outreach', 'esteira_frame_outreach']
	LOOP
		EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), name);
		BEGIN
			EXECUTE format('DROP ROLE %I', name);
		EXCEPTION WHEN dependent_objects_still_exist THEN
			RAISE NOTICE 'role % is used by another database and stays', name;
		END;
	END LOOP;
END
$$;

COMMIT;
