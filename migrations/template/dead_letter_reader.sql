-- What intake needs to read v1_dead_letters of another service's schema :schema: the columns, one
-- tenant at a time.

SET LOCAL ROLE esteira_owner;

\set role esteira_intake
\set table dead_letter
\ir tenant.sql

GRANT SELECT (tenant_id, id, topic, event_id, ordering_key, error_class, error_code, error_message,
	attempts, redrives, blocks, state, first_failed_at, created_at, updated_at)
	ON :"schema".dead_letter TO esteira_intake;

RESET ROLE;
