-- What intake needs to read v1_handled of another service's schema :schema: the columns, one tenant
-- at a time.

SET LOCAL ROLE esteira_owner;

\set role esteira_intake
\set table inbox
\ir tenant.sql

GRANT SELECT (tenant_id, event_id, grp, handled_at) ON :"schema".inbox TO esteira_intake;

RESET ROLE;
