-- Is template/erasure.sql in place in schema :schema? Asked as intake itself.

SELECT set_config('app.current_tenant', '00000000-0000-0000-0000-000000000001', true) AS set \gset
SET LOCAL ROLE esteira_intake;
SELECT tenant_id, started_at, done_at, counts FROM :"schema".v1_erasures WHERE false;
RESET ROLE;
