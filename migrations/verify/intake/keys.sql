-- Verify esteira:intake/keys on pg

BEGIN;

SELECT rotated_from, created_by FROM intake.api_keys WHERE false;
SELECT 1 / count(*) FROM intake.plans WHERE name = 'standard';
SELECT plan FROM intake.tenants WHERE false;
SELECT 1 / count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.oid = 'intake.key_lookup(bytea)'::regprocedure AND l.lanname = 'plpgsql'
		AND p.proowner = 'esteira_lookup'::regrole AND p.prosecdef;

SET LOCAL ROLE esteira_intake;
SELECT tenant_id, slug, tenant_state, deadline_s, key_id, partner, scopes, extract_per_min, status_per_min,
	default_per_min FROM intake.key_lookup('\x00');

ROLLBACK;
