-- Which records the service of schema :schema has handled, as their tenant may know it: the same for
-- every service. A frozen contract. The tenant is asked for here too, because a service sees all
-- tenants' rows of its own frame tables.

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = :"schema";

CREATE VIEW v1_handled WITH (security_invoker = true) AS
	SELECT tenant_id, event_id, grp, handled_at
	FROM inbox
	WHERE tenant_id = (SELECT NULLIF(current_setting('app.current_tenant', true), '')::uuid);
GRANT SELECT ON v1_handled TO esteira_intake;

RESET ROLE;
RESET search_path;
