-- Verify esteira:intake/tenant_states on pg

BEGIN;

SELECT tenant_id, slug, state, state_at FROM intake.v1_tenants WHERE false;
SELECT 'intake.tenants_halted_idx'::regclass;

ROLLBACK;
