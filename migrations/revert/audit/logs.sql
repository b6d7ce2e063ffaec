-- Revert esteira:audit/logs from pg

BEGIN;

DROP FUNCTION audit.ip_expire();
DROP TABLE audit.ip_addresses, audit.operations, audit.audit_logs;
DROP FUNCTION audit.refuse_change();

COMMIT;
