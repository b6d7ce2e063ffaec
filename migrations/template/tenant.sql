-- Let the service role :role at :schema.:table, for one tenant at a time.
--
-- The permissive policy alone would show everything, the restrictive one alone nothing. A setting
-- that a past transaction of the connection made is '' afterwards, hence NULLIF: no tenant, no rows.
-- Grants are separate.

ALTER TABLE :"schema".:"table" ENABLE ROW LEVEL SECURITY;
ALTER TABLE :"schema".:"table" FORCE ROW LEVEL SECURITY;

\set policy :role
CREATE POLICY :"policy" ON :"schema".:"table" TO :"role" USING (true) WITH CHECK (true);

\set policy :role _tenant
CREATE POLICY :"policy" ON :"schema".:"table" AS RESTRICTIVE TO :"role"
	USING (tenant_id = (SELECT NULLIF(current_setting('app.current_tenant', true), '')::uuid))
	WITH CHECK (tenant_id = (SELECT NULLIF(current_setting('app.current_tenant', true), '')::uuid));
