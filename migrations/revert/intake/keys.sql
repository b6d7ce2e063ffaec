-- Revert esteira:intake/keys from pg

BEGIN;

ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_owner;
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

DROP FUNCTION key_lookup(bytea);
CREATE FUNCTION key_lookup(hash bytea)
RETURNS TABLE (tenant_id uuid, slug text, tenant_state text, deadline_s int, key_id text,
	partner text, scopes text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 1
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
		SELECT t.tenant_id, t.slug, t.state, t.deadline_s, k.key_id, k.partner, k.scopes
		FROM intake.api_keys k JOIN intake.tenants t ON t.tenant_id = k.tenant_id
		WHERE k.key_hash = hash AND k.revoked_at IS NULL
			AND (k.expires_at IS NULL OR k.expires_at > statement_timestamp());
END
$$;
REVOKE ALL ON FUNCTION key_lookup(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_lookup(bytea) TO esteira_intake;

REVOKE INSERT ON api_keys FROM esteira_intake;
REVOKE UPDATE (expires_at, revoked_at) ON api_keys FROM esteira_intake;
DROP INDEX api_keys_created_at_idx;
ALTER TABLE api_keys DROP COLUMN rotated_from, DROP COLUMN created_by;
ALTER TABLE tenants DROP COLUMN plan;
DROP TABLE plans;

RESET ROLE;
ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_lookup;

COMMIT;
