-- Verify esteira:audit/logs on pg

BEGIN;

SELECT tenant_id, id, event_id, job_id, action, document_hash, result_hash, metadata, ip_hash,
	occurred_at, created_at FROM audit.audit_logs WHERE false;
SELECT tenant_id, id, event_id, actor, action, object, reason, metadata, occurred_at, created_at
	FROM audit.operations WHERE false;

DO $$
BEGIN
	ASSERT (SELECT count(*) FROM pg_trigger WHERE tgname = 'insert_only' AND tgenabled = 'A'
		AND tgrelid IN ('audit.audit_logs'::regclass, 'audit.operations'::regclass)) = 2,
		'the trail can be changed';
END
$$;

ROLLBACK;
