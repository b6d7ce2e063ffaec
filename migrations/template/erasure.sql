-- What the service of schema :schema notes while it erases a tenant, and tells intake: the same for
-- every service. A row stays for ever: it is the proof. Counts are rows deleted, by what they were.

\set service esteira_ :schema
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = :"schema";

CREATE TABLE erasures (
	tenant_id uuid PRIMARY KEY,
	started_at timestamptz NOT NULL DEFAULT now(),
	done_at timestamptz,
	counts jsonb NOT NULL DEFAULT '{}'
);

CREATE VIEW v1_erasures WITH (security_invoker = true) AS
	SELECT tenant_id, started_at, done_at, counts FROM erasures;

\set role :service
\set table erasures
\ir tenant.sql

GRANT SELECT, INSERT, UPDATE ON erasures TO :"service";
GRANT SELECT ON v1_erasures TO esteira_intake;

RESET ROLE;
RESET search_path;
