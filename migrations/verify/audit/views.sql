-- Verify esteira:audit/views on pg
--
-- As intake itself: the view works with exactly its grants.

BEGIN;

SET LOCAL ROLE esteira_intake;
SELECT tenant_id, event_id, job_id, action, document_hash, result_hash, metadata, occurred_at
	FROM audit.v1_entries WHERE false;

ROLLBACK;
