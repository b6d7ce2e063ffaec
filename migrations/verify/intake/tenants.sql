-- Verify esteira:intake/tenants on pg

BEGIN;

SELECT tenant_id, slug, name, state, deadline_s, created_at, is_test FROM intake.tenants WHERE false;
SELECT tenant_id, key_id, key_hash, partner, scopes, created_at, expires_at, revoked_at
	FROM intake.api_keys WHERE false;
SELECT tenant_id, version, wrapped, created_at, destroyed_at FROM intake.tenant_keys WHERE false;
SELECT tenant_id, slug, tenant_state, deadline_s, key_id, partner, scopes
	FROM intake.key_lookup('\x00');

DO $$
BEGIN
	ASSERT (SELECT p.prosecdef AND p.proowner = 'esteira_lookup'::regrole FROM pg_proc p
		WHERE p.oid = 'intake.key_lookup(bytea)'::regprocedure), 'key_lookup has another owner';
	ASSERT has_table_privilege('esteira_intake', 'intake.tenants', 'SELECT')
		AND NOT has_table_privilege('esteira_intake', 'intake.tenants', 'UPDATE'),
		'intake reads tenants and does not write them';
END
$$;

ROLLBACK;
