-- Revert esteira:intake/views from pg

BEGIN;

DROP VIEW intake.v1_open_jobs, intake.v1_tenant_keys;
REVOKE SELECT (tenant_id, slug) ON intake.tenants FROM esteira_ocr;
REVOKE SELECT (tenant_id, version, wrapped, destroyed_at) ON intake.tenant_keys FROM esteira_ocr;
REVOKE SELECT (tenant_id, job_id, status, key_half, expires_at) ON intake.jobs FROM esteira_ocr;
REVOKE USAGE ON SCHEMA intake FROM esteira_ocr;
DROP POLICY esteira_ocr ON intake.tenants;
DROP POLICY esteira_ocr_tenant ON intake.tenants;
DROP POLICY esteira_ocr ON intake.tenant_keys;
DROP POLICY esteira_ocr_tenant ON intake.tenant_keys;
DROP POLICY esteira_ocr ON intake.jobs;
DROP POLICY esteira_ocr_tenant ON intake.jobs;

COMMIT;
