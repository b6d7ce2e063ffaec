-- Verify esteira:intake/jobs on pg

BEGIN;

SELECT tenant_id, job_id, api_key_hash, partner, status, document_hash, result_hash, size_bytes,
	pages_total, pages_text, pages_ocr, confidence_avg, processing_ms, error_code, key_half,
	created_at, started_at, completed_at, expires_at, result_expires_at, result_deleted_at, purged_at
	FROM intake.jobs WHERE false;
SELECT tenant_id, route, key, document_hash, job_id, created_at FROM intake.idempotency WHERE false;
SELECT tenant_id, job_id, api_key_hash, delivered_at FROM intake.deliveries WHERE false;
SELECT tenant_id, event_id, ip, created_at FROM intake.ip_addresses WHERE false;

DO $$
BEGIN
	ASSERT has_table_privilege('esteira_intake', 'intake.jobs', 'SELECT, INSERT, UPDATE'),
		'grants on jobs';
	ASSERT has_table_privilege('esteira_frame_intake', 'intake.idempotency', 'DELETE'),
		'grants on idempotency';
	ASSERT has_function_privilege('esteira_intake', 'intake.ip_expire()', 'EXECUTE'),
		'ip_expire cannot be called';
END
$$;

ROLLBACK;
