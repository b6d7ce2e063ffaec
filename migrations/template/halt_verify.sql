-- Is template/halt.sql in place in schema :schema? Asked as the frame role itself.

\set frame esteira_frame_ :schema
SET LOCAL ROLE :"frame";
SELECT tenant_id, slug, state, state_at FROM intake.v1_tenants WHERE false;
RESET ROLE;
SELECT format('%I.parked_suspended_idx', :'schema')::regclass;
