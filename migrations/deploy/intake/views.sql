-- Deploy esteira:intake/views to pg
--
-- What ocr may know of intake, as frozen contracts. The views run with ocr's rights, so it also
-- gets the columns they read, under its own tenant policy.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

-- Jobs that still want an answer, with ocr's half of the document's key and the version of the
-- tenant key that seals results. The deadline is read anew by every statement: ocr asks again
-- right before it stores a result, late in a transaction.
CREATE VIEW v1_open_jobs WITH (security_invoker = true) AS
	SELECT j.tenant_id, j.job_id, t.slug, j.key_half, j.expires_at,
		(SELECT max(k.version) FROM tenant_keys k
			WHERE k.tenant_id = j.tenant_id AND k.destroyed_at IS NULL) AS tenant_key_version
	FROM jobs j JOIN tenants t ON t.tenant_id = j.tenant_id
	WHERE j.status IN ('pending', 'processing') AND j.key_half IS NOT NULL
		AND j.expires_at > statement_timestamp();

CREATE VIEW v1_tenant_keys WITH (security_invoker = true) AS
	SELECT tenant_id, version, wrapped FROM tenant_keys WHERE destroyed_at IS NULL;

\set schema intake
\set role esteira_ocr
\set table tenants
\ir ../../template/tenant.sql
\set table tenant_keys
\ir ../../template/tenant.sql
\set table jobs
\ir ../../template/tenant.sql

GRANT USAGE ON SCHEMA intake TO esteira_ocr;
GRANT SELECT ON v1_open_jobs, v1_tenant_keys TO esteira_ocr;
GRANT SELECT ON v1_tenant_keys TO esteira_intake;
GRANT SELECT (tenant_id, slug) ON tenants TO esteira_ocr;
GRANT SELECT (tenant_id, version, wrapped, destroyed_at) ON tenant_keys TO esteira_ocr;
GRANT SELECT (tenant_id, job_id, status, key_half, expires_at) ON jobs TO esteira_ocr;

COMMIT;
