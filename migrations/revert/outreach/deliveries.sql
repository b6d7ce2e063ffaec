-- Revert esteira:outreach/deliveries from pg

BEGIN;

DROP VIEW outreach.v1_attempts;
DROP VIEW outreach.v1_deliveries;
DROP TABLE outreach.attempts;
DROP TABLE outreach.deliveries;

COMMIT;
