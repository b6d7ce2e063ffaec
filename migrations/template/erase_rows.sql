-- Lets the service role :role delete rows of :schema.:table, but only those of a tenant who is being
-- erased: a mistake in a statement, or a stolen login, deletes nothing of anybody else.

GRANT DELETE ON :"schema".:"table" TO :"role";
\set policy :role _erasing
CREATE POLICY :"policy" ON :"schema".:"table" AS RESTRICTIVE FOR DELETE TO :"role"
	USING (EXISTS (SELECT FROM intake.tenants t
		WHERE t.tenant_id = :"table".tenant_id AND t.state = 'erasing'));
