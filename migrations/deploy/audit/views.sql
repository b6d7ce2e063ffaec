-- Deploy esteira:audit/views to pg
--
-- The trail of a job as intake shows it to the tenant. The view runs with intake's rights, so it
-- also gets the columns it reads, under its own tenant policy.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = audit;

CREATE VIEW v1_entries WITH (security_invoker = true) AS
	SELECT tenant_id, event_id, job_id, action, document_hash, result_hash, metadata, occurred_at
	FROM audit_logs;

\set schema audit
\set role esteira_intake
\set table audit_logs
\ir ../../template/tenant.sql

GRANT USAGE ON SCHEMA audit TO esteira_intake;
GRANT SELECT ON v1_entries TO esteira_intake;
GRANT SELECT (tenant_id, event_id, job_id, action, document_hash, result_hash, metadata, occurred_at)
	ON audit_logs TO esteira_intake;

COMMIT;
