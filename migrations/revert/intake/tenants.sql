-- Revert esteira:intake/tenants from pg

BEGIN;

DROP FUNCTION intake.key_lookup(bytea);
DROP TABLE intake.tenant_keys, intake.api_keys, intake.tenants;
REVOKE USAGE ON SCHEMA intake FROM esteira_lookup;

COMMIT;
