-- Revert esteira:intake/erasure from pg

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

DROP FUNCTION tenant_erased(), partners_erase(), erasing_tenant();
DROP POLICY esteira_owner_delete ON partners;
DROP POLICY esteira_owner ON partners;
DROP POLICY esteira_owner_delete ON partner_tenants;
DROP POLICY esteira_owner ON partner_tenants;
DROP POLICY esteira_owner_update ON tenants;
DROP POLICY esteira_intake_erasing ON api_keys;
DROP POLICY esteira_intake_erasing ON tenant_keys;
DROP POLICY esteira_intake_erasing ON jobs;
DROP POLICY esteira_intake_erasing ON idempotency;
DROP POLICY esteira_intake_erasing ON deliveries;
DROP POLICY esteira_intake_erasing ON ip_addresses;
REVOKE DELETE ON api_keys, tenant_keys, jobs, idempotency, deliveries, ip_addresses FROM esteira_intake;

\set schema intake
\ir ../../template/erasure_revert.sql
COMMIT;
