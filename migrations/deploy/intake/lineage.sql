-- Deploy esteira:intake/lineage to pg
--
-- A key and those it took the place of by rotation are one lineage, named by the first of them: what
-- is counted of a key is counted of its lineage, so that a rotation is no fresh minute. NULL: the key
-- is the first, or was made before; nothing has to be filled in.

BEGIN;

ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_owner;
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

ALTER TABLE api_keys ADD COLUMN lineage text CHECK (lineage ~ '^[0-9a-f]{8}$');
GRANT SELECT (lineage) ON api_keys TO esteira_lookup;

DROP FUNCTION key_lookup(bytea);
CREATE FUNCTION key_lookup(hash bytea)
RETURNS TABLE (tenant_id uuid, slug text, tenant_state text, deadline_s int, key_id text,
	partner text, scopes text[], extract_per_min int, status_per_min int, default_per_min int,
	lineage text)
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT t.tenant_id, t.slug, t.state, t.deadline_s, k.key_id, k.partner, k.scopes,
			p.extract_per_min, p.status_per_min, p.default_per_min,
			coalesce(k.lineage, k.key_id)
		FROM intake.api_keys k JOIN intake.tenants t ON t.tenant_id = k.tenant_id
			JOIN intake.plans p ON p.name = t.plan
		WHERE k.key_hash = hash AND k.revoked_at IS NULL
			AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp());
END
$$;
REVOKE ALL ON FUNCTION key_lookup(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_lookup(bytea) TO esteira_intake;

RESET ROLE;
ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_lookup;

COMMIT;
