-- Deploy esteira:roles to pg
--
-- Roles belong to the cluster, so one that exists is brought to these attributes and kept; its
-- password is never touched. Only esteira_migrator and esteira_backup pass row level security,
-- and no service runs as them. PUBLIC gets nothing, here or later.

BEGIN;

DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT * FROM (VALUES
		('esteira_owner',        'NOLOGIN NOBYPASSRLS'),
		('esteira_lookup',       'NOLOGIN NOBYPASSRLS'),
		('esteira_migrator',     'LOGIN BYPASSRLS'),
		('esteira_backup',       'LOGIN BYPASSRLS'),
		('esteira_operator',     'LOGIN NOBYPASSRLS'),
		('esteira_intake',       'LOGIN NOBYPASSRLS'),
		('esteira_frame_intake', 'LOGIN NOBYPASSRLS'),
		('esteira_ocr',          'LOGIN NOBYPASSRLS'),
		('esteira_frame_ocr',    'LOGIN NOBYPASSRLS'),
		('esteira_audit',        'LOGIN NOBYPASSRLS'),
		('esteira_frame_audit',  'LOGIN NOBYPASSRLS')) AS v(name, attributes)
	LOOP
		IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = r.name) THEN
			EXECUTE format('CREATE ROLE %I', r.name);
		END IF;
		EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION %s',
			r.name, r.attributes);
		EXECUTE format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), r.name);
		IF r.attributes LIKE 'LOGIN%' THEN
			EXECUTE format('GRANT CONNECT ON DATABASE %I TO %I', current_database(), r.name);
		END IF;
	END LOOP;
	EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
END
$$;

-- An unqualified name in a service's SQL is its own schema's, or an error.
ALTER ROLE esteira_intake       SET search_path = intake;
ALTER ROLE esteira_frame_intake SET search_path = intake;
ALTER ROLE esteira_ocr          SET search_path = ocr;
ALTER ROLE esteira_frame_ocr    SET search_path = ocr;
ALTER ROLE esteira_audit        SET search_path = audit;
ALTER ROLE esteira_frame_audit  SET search_path = audit;

-- With BYPASSRLS of their own: a backup reads every row, a backfill reads and writes every row.
-- Neither may truncate or change a table.
GRANT pg_read_all_data TO esteira_backup, esteira_migrator;
GRANT pg_write_all_data TO esteira_migrator;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE esteira_owner REVOKE ALL ON FUNCTIONS FROM PUBLIC;

COMMIT;
