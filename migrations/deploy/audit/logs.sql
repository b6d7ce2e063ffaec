-- Deploy esteira:audit/logs to pg
--
-- The trail: what happened to a document, and what was done that is not about one. Rows are added
-- and never changed, by any role: the triggers stop even the owner. IP addresses
-- live in intake, for six months only; the trail keeps a keyed hash.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = audit;

CREATE TABLE audit_logs (
	tenant_id uuid NOT NULL,
	id uuid NOT NULL DEFAULT gen_random_uuid(),
	event_id uuid NOT NULL,
	job_id uuid NOT NULL,
	action text NOT NULL
		CHECK (action IN ('RECEIVED', 'PROCESSING', 'COMPLETED', 'FAILED', 'DELIVERED', 'PURGED')),
	document_hash text NOT NULL,
	result_hash text,
	metadata jsonb NOT NULL DEFAULT '{}',
	ip_hash text,
	occurred_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, event_id)
);
CREATE INDEX audit_logs_job_idx ON audit_logs (tenant_id, job_id, occurred_at, id);

-- One of no tenant has the nil uuid.
CREATE TABLE operations (
	tenant_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
	id uuid NOT NULL DEFAULT gen_random_uuid(),
	event_id uuid NOT NULL,
	actor text NOT NULL,
	action text NOT NULL,
	object text,
	reason text,
	metadata jsonb NOT NULL DEFAULT '{}',
	occurred_at timestamptz NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, id),
	UNIQUE (tenant_id, event_id)
);
CREATE INDEX operations_list_idx ON operations (tenant_id, created_at DESC, id DESC);

CREATE FUNCTION refuse_change() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION '% on %.% is refused: the trail is insert-only', TG_OP, TG_TABLE_SCHEMA,
		TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
END
$$;
REVOKE ALL ON FUNCTION refuse_change() FROM PUBLIC;

-- By statement, so that an empty change is refused too; ALWAYS, so that a session which calls
-- itself a replica is no way around.
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_logs
	FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE audit_logs ENABLE ALWAYS TRIGGER insert_only;
CREATE TRIGGER insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON operations
	FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
ALTER TABLE operations ENABLE ALWAYS TRIGGER insert_only;

\set schema audit
\set role esteira_audit
\set table audit_logs
\ir ../../template/tenant.sql
\set table operations
\ir ../../template/tenant.sql

GRANT SELECT, INSERT ON audit_logs, operations TO esteira_audit;

COMMIT;
