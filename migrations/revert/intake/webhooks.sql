-- Revert esteira:intake/webhooks from pg

BEGIN;

DROP VIEW intake.v1_webhook_endpoints;
DROP TABLE intake.webhook_endpoints;
REVOKE SELECT ON intake.v1_tenant_keys FROM esteira_outreach;
REVOKE SELECT (tenant_id, slug, state, is_test) ON intake.tenants FROM esteira_outreach;
REVOKE SELECT (tenant_id, version, wrapped, destroyed_at) ON intake.tenant_keys FROM esteira_outreach;
DROP POLICY esteira_outreach ON intake.tenants;
DROP POLICY esteira_outreach_tenant ON intake.tenants;
DROP POLICY esteira_outreach ON intake.tenant_keys;
DROP POLICY esteira_outreach_tenant ON intake.tenant_keys;
REVOKE USAGE ON SCHEMA intake FROM esteira_outreach;

COMMIT;
