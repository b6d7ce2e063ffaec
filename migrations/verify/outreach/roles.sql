-- Verify esteira:outreach/roles on pg

BEGIN;

DO $$
BEGIN
	ASSERT (SELECT count(*) FROM pg_roles WHERE rolname IN ('esteira_outreach', 'esteira_frame_outreach')
		AND rolcanlogin AND NOT (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)) = 2,
		'a role is missing or too strong';
END
$$;

ROLLBACK;
