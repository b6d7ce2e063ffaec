-- Roles and schema of the reference service, beside the suite's migrations. Run once by psql as the
-- superuser.

BEGIN;

CREATE ROLE esteira_reference LOGIN NOBYPASSRLS;
CREATE ROLE esteira_frame_reference LOGIN NOBYPASSRLS;
ALTER ROLE esteira_reference SET search_path = reference;
ALTER ROLE esteira_frame_reference SET search_path = reference;
SELECT format('GRANT CONNECT ON DATABASE %I TO esteira_reference, esteira_frame_reference',
	current_database()) \gexec

\set schema reference
\ir ../../migrations/template/frame.sql
\ir ../../migrations/template/conveyor.sql
\ir ../../migrations/template/dead_letter.sql
\ir ../../migrations/template/halt.sql
\ir ../../migrations/template/halt_reader.sql
\ir ../../migrations/template/erasure.sql

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = reference;

-- seq is the order in which they were made
CREATE TABLE entry (
	tenant_id uuid NOT NULL,
	key text NOT NULL,
	n bigint NOT NULL,
	event_id uuid NOT NULL,
	seq bigint GENERATED ALWAYS AS IDENTITY,
	PRIMARY KEY (tenant_id, key, n)
);
CREATE TABLE note (
	tenant_id uuid NOT NULL,
	event_id uuid NOT NULL,
	key text NOT NULL,
	n bigint NOT NULL,
	PRIMARY KEY (tenant_id, event_id)
);
CREATE TABLE disorder (
	tenant_id uuid NOT NULL,
	key text NOT NULL,
	n bigint NOT NULL,
	after_n bigint NOT NULL,
	event_id uuid NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE charge (
	tenant_id uuid NOT NULL,
	charge text NOT NULL,
	amount_cents bigint NOT NULL,
	state text NOT NULL CHECK (state IN ('confirmed', 'failed')),
	provider_ref text,
	event_id uuid NOT NULL,
	PRIMARY KEY (tenant_id, charge)
);
CREATE TABLE tally (
	tenant_id uuid NOT NULL,
	name text NOT NULL,
	total bigint NOT NULL,
	PRIMARY KEY (tenant_id, name)
);

\set role esteira_reference
\set table entry
\ir ../../migrations/template/tenant.sql
\set table note
\ir ../../migrations/template/tenant.sql
\set table disorder
\ir ../../migrations/template/tenant.sql
\set table charge
\ir ../../migrations/template/tenant.sql
\set table tally
\ir ../../migrations/template/tenant.sql

GRANT SELECT, INSERT, UPDATE ON entry, note, disorder, charge, tally TO esteira_reference;

COMMIT;
