-- Deploy esteira:intake/webhooks to pg
--
-- Where a tenant wants to be told what. Its API writes here; outreach, which calls, reads
-- v1_webhook_endpoints: with outreach's rights, one tenant at a time. A secret is 32 random bytes,
-- wrapped under the tenant's key: docs/format.md.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

CREATE TABLE webhook_endpoints (
	tenant_id uuid NOT NULL REFERENCES tenants,
	endpoint_id uuid NOT NULL,
	url text NOT NULL CHECK (octet_length(url) BETWEEN 8 AND 2048),
	filters text[] NOT NULL DEFAULT '{}' CHECK (cardinality(filters) <= 32), -- none: all
	ordered boolean NOT NULL DEFAULT false,
	description text CHECK (octet_length(description) <= 255),
	state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'disabled')),
	disabled_reason text CHECK (disabled_reason IN ('gone', 'by-hand')),
	key_version int NOT NULL CHECK (key_version >= 1),
	secret bytea NOT NULL CHECK (octet_length(secret) = 60),
	old_secret bytea CHECK (octet_length(old_secret) = 60),
	old_key_version int CHECK (old_key_version >= 1),
	old_until timestamptz,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, endpoint_id),
	CHECK ((old_secret IS NULL) = (old_until IS NULL) AND (old_secret IS NULL) = (old_key_version IS NULL)),
	CHECK ((state = 'disabled') = (disabled_reason IS NOT NULL))
);

-- The second secret only as long as it is valid, by the clock of each statement.
CREATE VIEW v1_webhook_endpoints WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.endpoint_id, e.url, e.filters, e.ordered, e.key_version, e.secret,
		CASE WHEN e.old_until > statement_timestamp() THEN e.old_key_version END AS old_key_version,
		CASE WHEN e.old_until > statement_timestamp() THEN e.old_secret END AS old_secret,
		t.slug, t.is_test
	FROM webhook_endpoints e JOIN tenants t ON t.tenant_id = e.tenant_id
	WHERE e.state = 'active' AND t.state = 'active';

\set schema intake
\set role esteira_intake
\set table webhook_endpoints
\ir ../../template/tenant.sql
\set role esteira_outreach
\ir ../../template/tenant.sql
\set table tenants
\ir ../../template/tenant.sql
\set table tenant_keys
\ir ../../template/tenant.sql

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints TO esteira_intake;

GRANT USAGE ON SCHEMA intake TO esteira_outreach;
GRANT SELECT ON v1_webhook_endpoints, v1_tenant_keys TO esteira_outreach;
GRANT SELECT (tenant_id, endpoint_id, url, filters, ordered, state, key_version, secret, old_key_version,
	old_secret, old_until) ON webhook_endpoints TO esteira_outreach;
GRANT SELECT (tenant_id, slug, state, is_test) ON tenants TO esteira_outreach;
GRANT SELECT (tenant_id, version, wrapped, destroyed_at) ON tenant_keys TO esteira_outreach;

COMMIT;
