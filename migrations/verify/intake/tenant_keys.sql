-- Verify esteira:intake/tenant_keys on pg

BEGIN;

SELECT key_version FROM intake.jobs WHERE false;
SELECT only_one, key FROM intake.cursor_key WHERE false;

DO $$
BEGIN
	ASSERT (SELECT count(*) FROM intake.cursor_key) = 1, 'there is a key of cursors';
	ASSERT has_function_privilege('esteira_intake', 'intake.destroy_tenant_keys(uuid)', 'EXECUTE')
		AND NOT has_function_privilege('esteira_ocr', 'intake.destroy_tenant_keys(uuid)', 'EXECUTE')
		AND NOT has_table_privilege('esteira_intake', 'intake.tenant_keys', 'UPDATE'),
		'intake destroys keys by that function alone';
END
$$;

ROLLBACK;
