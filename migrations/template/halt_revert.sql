-- Undoes template/halt.sql in schema :schema.

\set frame esteira_frame_ :schema
SET LOCAL ROLE esteira_owner;

REVOKE SELECT ON intake.v1_tenants FROM :"frame";
DROP INDEX :"schema".parked_suspended_idx;

RESET ROLE;
