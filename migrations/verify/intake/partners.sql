-- Verify esteira:intake/partners on pg

BEGIN;

SELECT slug, name, created_at, revoked_at FROM intake.partners WHERE false;
SELECT tenant_id, partner, granted_at, revoked_at FROM intake.partner_tenants WHERE false;

DO $$
BEGIN
	ASSERT has_table_privilege('esteira_frame_intake', 'intake.partners', 'SELECT')
		AND NOT has_table_privilege('esteira_frame_intake', 'intake.partners', 'UPDATE'),
		'the frame reads partners and does not write them';
END
$$;

ROLLBACK;
