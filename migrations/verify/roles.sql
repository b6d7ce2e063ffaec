-- Verify esteira:roles on pg

BEGIN;

DO $$
BEGIN
	ASSERT (SELECT count(*) FROM pg_roles WHERE rolname LIKE 'esteira\_%') >= 11, 'a role is missing';
	ASSERT NOT EXISTS (SELECT FROM pg_roles WHERE rolname LIKE 'esteira\_%'
		AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication)), 'a role is too strong';
	ASSERT (SELECT array_agg(rolname::text ORDER BY rolname) FROM pg_roles
		WHERE rolname LIKE 'esteira\_%' AND rolbypassrls)
		= ARRAY['esteira_backup', 'esteira_migrator'], 'BYPASSRLS of the wrong roles';
	ASSERT NOT has_database_privilege('esteira_intake', current_database(), 'TEMP'),
		'PUBLIC still has the database';
	ASSERT NOT has_schema_privilege('esteira_intake', 'public', 'USAGE'),
		'PUBLIC still has schema public';
END
$$;

ROLLBACK;
