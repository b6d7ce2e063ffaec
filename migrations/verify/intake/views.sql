-- Verify esteira:intake/views on pg
--
-- As ocr itself: the views work with exactly its grants.

BEGIN;

SET LOCAL ROLE esteira_ocr;
SELECT tenant_id, job_id, slug, key_half, expires_at, tenant_key_version
	FROM intake.v1_open_jobs WHERE false;
SELECT tenant_id, version, wrapped FROM intake.v1_tenant_keys WHERE false;

ROLLBACK;
