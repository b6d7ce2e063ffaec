-- Verify esteira:outreach/deliveries on pg
--
-- As intake itself: the views work with exactly its grants.

BEGIN;

SELECT tenant_id, delivery_id, endpoint_id, event_id, event_type, body, state, round, attempts, last_status,
	last_error, created_at, updated_at, delivered_at FROM outreach.deliveries WHERE false;

SET LOCAL ROLE esteira_intake;
SELECT tenant_id, delivery_id, endpoint_id, event_id, event_type, state, round, attempts, last_status,
	last_error, created_at, updated_at, delivered_at FROM outreach.v1_deliveries WHERE false;
SELECT tenant_id, delivery_id, number, at, status, error_code, took_ms FROM outreach.v1_attempts
	WHERE false;

ROLLBACK;
