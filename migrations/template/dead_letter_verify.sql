-- Is template/dead_letter.sql in place in schema :schema? The view and the tenant's functions are
-- asked as intake itself.

SET LOCAL esteira.schema = :'schema';

DO $$
DECLARE
	home text := current_setting('esteira.schema');
BEGIN
	ASSERT has_function_privilege('esteira_frame_' || home,
		home || '.dead_letter_redrive(uuid[], uuid, text)', 'EXECUTE'), 'the frame cannot redrive';
	ASSERT NOT has_function_privilege('esteira_intake',
		home || '.dead_letter_redrive(uuid[], uuid, text)', 'EXECUTE'),
		'intake could redrive for any tenant';
END
$$;

SELECT set_config('app.current_tenant', '00000000-0000-0000-0000-000000000001', true) AS set \gset
SET LOCAL ROLE esteira_intake;
SELECT tenant_id, id, topic, event_id, ordering_key, error_class, error_code, error_message,
	attempts, redrives, blocks, state, first_failed_at, created_at, updated_at
	FROM :"schema".v1_dead_letters WHERE false;
SELECT 1 / (1 - count(*)) FROM :"schema".tenant_redrive('{}', 'verify');
SELECT 1 / (1 - count(*)) FROM :"schema".tenant_discard('{}', 'verify');
RESET ROLE;
