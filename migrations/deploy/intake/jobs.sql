-- Deploy esteira:intake/jobs to pg
--
-- A document's job, the Idempotency-Key that started it, and who fetched its text. No content and
-- no file name. key_half is one of two halves of the document's key and must be gone once the
-- document is.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

CREATE TABLE jobs (
	tenant_id uuid NOT NULL,
	job_id uuid NOT NULL,
	api_key_hash text,
	partner text NOT NULL DEFAULT 'self',
	status text NOT NULL DEFAULT 'pending'
		CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
	document_hash text NOT NULL,
	result_hash text,
	size_bytes bigint NOT NULL CHECK (size_bytes >= 0),
	pages_total int,
	pages_text int,
	pages_ocr int,
	confidence_avg real,
	processing_ms int,
	error_code text,
	key_half bytea,
	created_at timestamptz NOT NULL DEFAULT now(),
	started_at timestamptz,
	completed_at timestamptz,
	expires_at timestamptz NOT NULL,
	result_expires_at timestamptz,
	result_deleted_at timestamptz,
	purged_at timestamptz,
	PRIMARY KEY (tenant_id, job_id),
	CONSTRAINT jobs_purged_has_no_key CHECK (purged_at IS NULL OR key_half IS NULL)
);
CREATE INDEX jobs_list_idx ON jobs (tenant_id, created_at DESC, job_id DESC);
CREATE INDEX jobs_status_idx ON jobs (tenant_id, status, created_at DESC, job_id DESC);
-- Back-pressure reads both once a second for all tenants; without them it would read 5 years.
CREATE INDEX jobs_open_idx ON jobs (tenant_id, created_at) WHERE status IN ('pending', 'processing');
CREATE INDEX jobs_ended_idx ON jobs (completed_at) WHERE completed_at IS NOT NULL;

CREATE TABLE idempotency (
	tenant_id uuid NOT NULL,
	route text NOT NULL,
	key text NOT NULL,
	document_hash text NOT NULL,
	job_id uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, route, key)
);

CREATE TABLE deliveries (
	tenant_id uuid NOT NULL,
	job_id uuid NOT NULL,
	api_key_hash text NOT NULL,
	delivered_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, job_id, api_key_hash)
);

-- Where a request came from, apart from the trail, which holds a keyed hash; six months.
CREATE TABLE ip_addresses (
	tenant_id uuid NOT NULL,
	event_id uuid NOT NULL,
	ip inet NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, event_id)
);

\set schema intake
\set role esteira_intake
\set table jobs
\ir ../../template/tenant.sql
\set table idempotency
\ir ../../template/tenant.sql
\set table deliveries
\ir ../../template/tenant.sql
\set table ip_addresses
\ir ../../template/tenant.sql

GRANT SELECT, INSERT, UPDATE ON jobs TO esteira_intake;
GRANT SELECT, INSERT ON idempotency, deliveries, ip_addresses TO esteira_intake;

-- The purger and back-pressure cross tenants.
GRANT SELECT, UPDATE ON jobs TO esteira_frame_intake;
CREATE POLICY esteira_frame_intake ON jobs TO esteira_frame_intake USING (true) WITH CHECK (true);
GRANT SELECT, DELETE ON idempotency TO esteira_frame_intake;
CREATE POLICY esteira_frame_intake ON idempotency FOR SELECT TO esteira_frame_intake USING (true);
CREATE POLICY esteira_frame_intake_delete ON idempotency FOR DELETE TO esteira_frame_intake
	USING (created_at < now() - interval '14 days');

-- Deletes IP addresses older than six months, of all tenants; answers how many. Even its owner
-- sees no younger one.
CREATE POLICY esteira_owner ON ip_addresses FOR SELECT TO esteira_owner
	USING (created_at < now() - interval '6 months');
CREATE POLICY esteira_owner_delete ON ip_addresses FOR DELETE TO esteira_owner
	USING (created_at < now() - interval '6 months');
CREATE FUNCTION ip_expire() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM intake.ip_addresses WHERE created_at < now() - interval '6 months' RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION ip_expire() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ip_expire() TO esteira_intake, esteira_frame_intake;

COMMIT;
