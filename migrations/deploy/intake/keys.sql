-- Deploy esteira:intake/keys to pg
--
-- The life of an API key, and how much a tenant may ask for: plans, requests a minute, 0 = without
-- limit. The key look-up answers the limits as well, so that a request costs one question.

BEGIN;

ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_owner;
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

CREATE TABLE plans (
	name text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
	extract_per_min int NOT NULL CHECK (extract_per_min BETWEEN 0 AND 1000000), -- of a key
	status_per_min int NOT NULL CHECK (status_per_min BETWEEN 0 AND 1000000),   -- of a key
	default_per_min int NOT NULL CHECK (default_per_min BETWEEN 0 AND 1000000)  -- of a tenant
);
INSERT INTO plans VALUES ('standard', 30, 300, 100), ('unlimited', 0, 0, 0);

ALTER TABLE plans ENABLE ROW LEVEL SECURITY;
ALTER TABLE plans FORCE ROW LEVEL SECURITY;
GRANT SELECT ON plans TO esteira_lookup;
CREATE POLICY esteira_lookup ON plans FOR SELECT TO esteira_lookup USING (true);

ALTER TABLE tenants ADD COLUMN plan text NOT NULL DEFAULT 'standard' REFERENCES plans;
GRANT SELECT (plan) ON tenants TO esteira_lookup;

-- rotated_from: the key it took the place of; created_by: a key (uk_...) or an operator
ALTER TABLE api_keys
	ADD COLUMN rotated_from text CHECK (rotated_from ~ '^[0-9a-f]{8}$'),
	ADD COLUMN created_by text CHECK (octet_length(created_by) <= 255);
CREATE INDEX api_keys_created_at_idx ON api_keys (tenant_id, created_at, key_id);
GRANT INSERT ON api_keys TO esteira_intake;
GRANT UPDATE (expires_at, revoked_at) ON api_keys TO esteira_intake;

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

RESET ROLE;
ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_lookup;

COMMIT;
