-- What intake needs to read v1_erasures of another service's schema :schema: the columns, one tenant
-- at a time.

SET LOCAL ROLE esteira_owner;

\set role esteira_intake
\set table erasures
\ir tenant.sql

GRANT SELECT (tenant_id, started_at, done_at, counts) ON :"schema".erasures TO esteira_intake;

RESET ROLE;
