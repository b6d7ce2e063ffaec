-- Is template/handled.sql in place in schema :schema? Asked as intake itself.

SELECT set_config('app.current_tenant', '00000000-0000-0000-0000-000000000001', true) AS set \gset
SET LOCAL ROLE esteira_intake;
SELECT tenant_id, event_id, grp, handled_at FROM :"schema".v1_handled WHERE false;
RESET ROLE;
