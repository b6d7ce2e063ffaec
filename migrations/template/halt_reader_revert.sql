-- Undoes template/halt_reader.sql in schema :schema.

\set frame esteira_frame_ :schema
SET LOCAL ROLE esteira_owner;

DROP POLICY :"frame" ON intake.tenants;
REVOKE SELECT (tenant_id, slug, state, state_at) ON intake.tenants FROM :"frame";
REVOKE USAGE ON SCHEMA intake FROM :"frame";

RESET ROLE;
