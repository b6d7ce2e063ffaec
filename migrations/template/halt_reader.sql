-- What the frame role of schema :schema, another one than intake, needs to read intake.v1_tenants:
-- exactly its columns, of all tenants, because it crosses them.

\set frame esteira_frame_ :schema
SET LOCAL ROLE esteira_owner;

GRANT USAGE ON SCHEMA intake TO :"frame";
GRANT SELECT (tenant_id, slug, state, state_at) ON intake.tenants TO :"frame";
CREATE POLICY :"frame" ON intake.tenants FOR SELECT TO :"frame" USING (true);

RESET ROLE;
