-- Revert esteira:intake/tenant_states from pg

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

CREATE OR REPLACE VIEW v1_webhook_endpoints WITH (security_invoker = true) AS
	SELECT e.tenant_id, e.endpoint_id, e.url, e.filters, e.ordered, e.key_version, e.secret,
		CASE WHEN e.old_until > statement_timestamp() THEN e.old_key_version END AS old_key_version,
		CASE WHEN e.old_until > statement_timestamp() THEN e.old_secret END AS old_secret,
		t.slug, t.is_test
	FROM webhook_endpoints e JOIN tenants t ON t.tenant_id = e.tenant_id
	WHERE e.state = 'active' AND t.state = 'active';
DROP VIEW v1_tenants;
DROP INDEX tenants_halted_idx;
ALTER TABLE tenants DROP COLUMN state_at;

COMMIT;
