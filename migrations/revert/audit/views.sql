-- Revert esteira:audit/views from pg

BEGIN;

DROP VIEW audit.v1_entries;
REVOKE SELECT (tenant_id, event_id, job_id, action, document_hash, result_hash, metadata,
	occurred_at) ON audit.audit_logs FROM esteira_intake;
REVOKE USAGE ON SCHEMA audit FROM esteira_intake;
DROP POLICY esteira_intake ON audit.audit_logs;
DROP POLICY esteira_intake_tenant ON audit.audit_logs;

COMMIT;
