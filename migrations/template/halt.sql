-- What the service of schema :schema needs to put the records of a suspended tenant aside: the same
-- for every service.

\set frame esteira_frame_ :schema
SET LOCAL ROLE esteira_owner;

-- of whom records wait for his activation, and which ones
CREATE INDEX parked_suspended_idx ON :"schema".parked (tenant_id, id)
	WHERE reason = 'suspended' AND due_at = 'infinity';
GRANT SELECT ON intake.v1_tenants TO :"frame";

RESET ROLE;
