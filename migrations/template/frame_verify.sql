-- Is what frame.sql makes there, owned and shut as it should be?

SET LOCAL esteira.schema = :'schema';

DO $$
DECLARE
	home text := current_setting('esteira.schema');
	tables text[] := ARRAY['inbox', 'outbox', 'effect', 'claim', 'fence', 'progress', 'replay',
		'parked', 'dead_letter'];
	tbl text;
	found pg_class;
BEGIN
	FOREACH tbl IN ARRAY tables LOOP
		SELECT c.* INTO STRICT found FROM pg_class c
			WHERE c.relnamespace = home::regnamespace AND c.relname = tbl;
		ASSERT found.relowner = 'esteira_owner'::regrole, tbl || ' has another owner';
		ASSERT found.relrowsecurity AND found.relforcerowsecurity, tbl || ' lacks row security';
		ASSERT (SELECT count(*) FROM pg_policy WHERE polrelid = found.oid) >= 3,
			tbl || ' lacks a policy';
		ASSERT has_table_privilege('esteira_frame_' || home, found.oid, 'DELETE'),
			tbl || ' is not the frame''s';
	END LOOP;
	ASSERT NOT has_table_privilege('esteira_' || home, home || '.outbox', 'DELETE'),
		'the service may delete what is to be published';
	ASSERT (SELECT count(*) FROM pg_inherits WHERE inhparent = (home || '.inbox')::regclass) >= 3,
		'inbox lacks partitions';
	ASSERT has_function_privilege('esteira_' || home, home || '.role_is_safe()', 'EXECUTE'),
		'role_is_safe cannot be called';
	ASSERT has_function_privilege('esteira_' || home, home || '.inbox_maintain()', 'EXECUTE'),
		'inbox_maintain cannot be called';
END
$$;
