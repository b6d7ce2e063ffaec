-- Deploy esteira:intake/tenant_states to pg
--
-- Since when a tenant is in its state, and the view by which every service knows. Endpoints of a
-- suspended tenant stay in sight of outreach: who halts the tenant is frame/halt, which puts records
-- aside; without its endpoints a record that came first would find nobody to tell, and be over.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

ALTER TABLE tenants ADD COLUMN state_at timestamptz NOT NULL DEFAULT now();
-- few of many; every process asks for them every two seconds
CREATE INDEX tenants_halted_idx ON tenants (tenant_id) WHERE state <> 'active';

CREATE VIEW v1_tenants WITH (security_invoker = true) AS
	SELECT tenant_id, slug, state, state_at FROM tenants;

CREATE OR REPLACE VIEW v1_webhook_endpoints WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.endpoint_id, e.url, e.filters, e.ordered, e.key_version, e.secret,
		CASE WHEN e.old_until > statement_timestamp() THEN e.old_key_version END AS old_key_version,
		CASE WHEN e.old_until > statement_timestamp() THEN e.old_secret END AS old_secret,
		t.slug, t.is_test
	FROM webhook_endpoints e JOIN tenants t ON t.tenant_id = e.tenant_id
	WHERE e.state = 'active' AND t.state IN ('active', 'suspended');

COMMIT;
