-- Revert esteira:intake/jobs from pg

BEGIN;

DROP TABLE intake.deliveries, intake.idempotency, intake.jobs;

COMMIT;
