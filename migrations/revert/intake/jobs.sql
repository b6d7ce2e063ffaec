-- Revert esteira:intake/jobs from pg

BEGIN;

DROP FUNCTION intake.ip_expire();
DROP TABLE intake.ip_addresses, intake.deliveries, intake.idempotency, intake.jobs;

COMMIT;
