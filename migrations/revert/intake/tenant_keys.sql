-- Revert esteira:intake/tenant_keys from pg

BEGIN;

DROP TABLE intake.cursor_key;
DROP FUNCTION intake.destroy_tenant_keys(uuid);
DROP POLICY esteira_owner ON intake.tenant_keys;
DROP POLICY esteira_owner ON intake.tenants;
ALTER TABLE intake.jobs DROP COLUMN key_version;
UPDATE intake.tenant_keys SET wrapped = ''::bytea WHERE wrapped IS NULL;
ALTER TABLE intake.tenant_keys ALTER COLUMN wrapped SET NOT NULL;

COMMIT;
