-- Revert esteira:intake/lineage from pg

BEGIN;

ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_owner;
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

DROP FUNCTION key_lookup(bytea);
CREATE FUNCTION key_lookup(hash bytea)
RETURNS TABLE (tenant_id uuid, slug text, tenant_state text, deadline_s int, key_id text,
	partner text, scopes text[], extract_per_min int, status_per_min int, default_per_min int)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT t.tenant_id, t.slug, t.state, t.deadline_s, k.key_id, k.partner, k.scopes,
			p.extract_per_min, p.status_per_min, p.default_per_min
		FROM intake.api_keys k JOIN intake.tenants t ON t.tenant_id = k.tenant_id
			JOIN intake.plans p ON p.name = t.plan
		WHERE k.key_hash = hash AND k.revoked_at IS NULL
			AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp());
END
$$;
REVOKE ALL ON FUNCTION key_lookup(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_lookup(bytea) TO esteira_intake;

ALTER TABLE api_keys DROP COLUMN lineage;

RESET ROLE;
ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_lookup;

COMMIT;
