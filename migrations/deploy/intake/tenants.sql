-- Deploy esteira:intake/tenants to pg
--
-- Who may use the suite: tenants, their API keys (a hash of each) and their wrapped data keys.
-- Written by operators, read by intake; a key is looked up before its tenant is known.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

CREATE TABLE tenants (
	tenant_id uuid PRIMARY KEY,
	slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
	name text NOT NULL,
	state text NOT NULL DEFAULT 'active'
		CHECK (state IN ('active', 'suspended', 'erasing', 'erased')),
	deadline_s int NOT NULL DEFAULT 600 CHECK (deadline_s BETWEEN 60 AND 86400),
	created_at timestamptz NOT NULL DEFAULT now(),
	is_test boolean NOT NULL DEFAULT false
);

CREATE TABLE api_keys (
	tenant_id uuid NOT NULL REFERENCES tenants,
	key_id text NOT NULL CHECK (key_id ~ '^[0-9a-f]{8}$'),
	key_hash bytea NOT NULL CHECK (octet_length(key_hash) = 32),
	partner text NOT NULL DEFAULT 'self',
	scopes text[] NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	expires_at timestamptz,
	revoked_at timestamptz,
	PRIMARY KEY (tenant_id, key_id)
);
-- The one key that does not lead with the tenant: it finds the tenant, and a SHA-256 of 32 random
-- bytes says nothing about another one's.
CREATE UNIQUE INDEX api_keys_key_hash_idx ON api_keys (key_hash);

-- Destroying the key of a tenant (wrapped overwritten, destroyed_at set) destroys what it opened.
CREATE TABLE tenant_keys (
	tenant_id uuid NOT NULL REFERENCES tenants,
	version int NOT NULL CHECK (version >= 1),
	wrapped bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	destroyed_at timestamptz,
	PRIMARY KEY (tenant_id, version)
);

\set schema intake
\set role esteira_intake
\set table tenants
\ir ../../template/tenant.sql
\set table api_keys
\ir ../../template/tenant.sql
\set table tenant_keys
\ir ../../template/tenant.sql

GRANT SELECT ON tenants, api_keys, tenant_keys TO esteira_intake;

GRANT SELECT ON tenants TO esteira_frame_intake;
CREATE POLICY esteira_frame_intake ON tenants FOR SELECT TO esteira_frame_intake USING (true);

GRANT USAGE ON SCHEMA intake TO esteira_lookup;
GRANT SELECT (tenant_id, slug, state, deadline_s) ON tenants TO esteira_lookup;
GRANT SELECT (tenant_id, key_id, key_hash, partner, scopes, expires_at, revoked_at)
	ON api_keys TO esteira_lookup;
CREATE POLICY esteira_lookup ON tenants FOR SELECT TO esteira_lookup USING (true);
CREATE POLICY esteira_lookup ON api_keys FOR SELECT TO esteira_lookup USING (true);

-- SHA-256 of a whole API key in, at most one row out: whose it is and what it may do. Answers for a
-- tenant in any state; the caller says no to one that is not active.
CREATE FUNCTION key_lookup(hash bytea)
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
REVOKE ALL ON FUNCTION key_lookup(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION key_lookup(bytea) TO esteira_intake;

RESET ROLE;
ALTER FUNCTION intake.key_lookup(bytea) OWNER TO esteira_lookup;

COMMIT;
