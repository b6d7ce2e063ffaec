-- Revert esteira:intake/lookup from pg

BEGIN;

ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_owner;
SET LOCAL ROLE esteira_owner;

CREATE OR REPLACE FUNCTION intake.key_lookup(hash bytea)
RETURNS TABLE (tenant_id uuid, slug text, tenant_state text, deadline_s int, key_id text,
	partner text, scopes text[])
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t.tenant_id, t.slug, t.state, t.deadline_s, k.key_id, k.partner, k.scopes
	FROM intake.api_keys k JOIN intake.tenants t ON t.tenant_id = k.tenant_id
	WHERE k.key_hash = hash AND k.revoked_at IS NULL
		AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp())
$$;

RESET ROLE;
ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_lookup;

COMMIT;
