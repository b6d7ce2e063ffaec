-- Undoes template/handled_reader.sql in schema :schema.

SET LOCAL ROLE esteira_owner;

REVOKE SELECT (tenant_id, event_id, grp, handled_at) ON :"schema".inbox FROM esteira_intake;
DROP POLICY esteira_intake ON :"schema".inbox;
DROP POLICY esteira_intake_tenant ON :"schema".inbox;

RESET ROLE;
