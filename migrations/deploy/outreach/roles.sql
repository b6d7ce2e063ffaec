-- Deploy esteira:outreach/roles to pg
--
-- As in roles: the two of a service that came later.

BEGIN;

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['esteira_outreach', 'esteira_frame_outreach']
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
			EXECUTE format('CREATE ROLE %I', name);
		END IF;
		EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION LOGIN NOBYPASSRLS',
			name);
		EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), name);
		EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), name);
	END LOOP;
END
$$;

ALTER ROLE esteira_outreach       SET search_path = outreach;
ALTER ROLE esteira_frame_outreach SET search_path = outreach;

COMMIT;
