-- Revert esteira:audit/logs from pg

BEGIN;

DROP TABLE audit.operations, audit.audit_logs;
DROP FUNCTION audit.refuse_change();

COMMIT;
