-- Revert esteira:roles from pg
--
-- A role that another database of the cluster still uses stays.

BEGIN;

ALTER DEFAULT PRIVILEGES FOR ROLE esteira_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
GRANT USAGE ON SCHEMA public TO PUBLIC;

DO $$
DECLARE
	name text;
BEGIN
	EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO PUBLIC', current_database());
	FOREACH name IN ARRAY ARRAY['esteira_owner', 'esteira_lookup', 'esteira_migrator',
		'esteira_backup', 'esteira_operator', 'esteira_intake', 'esteira_frame_intake',
		'esteira_ocr', 'esteira_frame_ocr', 'esteira_audit', 'esteira_frame_audit']
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
