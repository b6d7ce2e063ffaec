-- Verify esteira:intake/webhooks on pg
--
-- As outreach itself: the views work with exactly its grants.

BEGIN;

SELECT tenant_id, endpoint_id, url, filters, ordered, description, state, disabled_reason, key_version,
	secret, old_secret, old_key_version, old_until, created_at, updated_at
	FROM intake.webhook_endpoints WHERE false;

SET LOCAL ROLE esteira_outreach;
SELECT tenant_id, endpoint_id, url, filters, ordered, key_version, secret, old_key_version, old_secret,
	slug, is_test FROM intake.v1_webhook_endpoints WHERE false;
SELECT tenant_id, version, wrapped FROM intake.v1_tenant_keys WHERE false;

ROLLBACK;
