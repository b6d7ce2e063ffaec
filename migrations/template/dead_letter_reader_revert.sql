-- Undoes template/dead_letter_reader.sql in schema :schema.

SET LOCAL ROLE esteira_owner;

REVOKE SELECT (tenant_id, id, topic, event_id, ordering_key, error_class, error_code, error_message,
	attempts, redrives, blocks, state, first_failed_at, created_at, updated_at)
	ON :"schema".dead_letter FROM esteira_intake;
DROP POLICY esteira_intake ON :"schema".dead_letter;
DROP POLICY esteira_intake_tenant ON :"schema".dead_letter;

RESET ROLE;
