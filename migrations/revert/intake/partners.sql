-- Revert esteira:intake/partners from pg

BEGIN;

DROP TABLE intake.partner_tenants, intake.partners;

COMMIT;
