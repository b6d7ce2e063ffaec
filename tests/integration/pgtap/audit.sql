-- The trail is insert-only: to every role, the owner and a superuser included.

\ir prelude.psql
SELECT no_plan();

INSERT INTO audit.audit_logs (tenant_id, event_id, job_id, action, document_hash, occurred_at)
VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'RECEIVED', '', now());
INSERT INTO audit.operations (event_id, actor, action, occurred_at)
VALUES (gen_random_uuid(), 'test', 'test', now());

CREATE FUNCTION refused(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	PERFORM set_config('app.current_tenant', gen_random_uuid()::text, true);
	BEGIN
		EXECUTE statement;
		RESET ROLE;
		RETURN 'allowed';
	EXCEPTION WHEN OTHERS THEN
		RESET ROLE;
		RETURN SQLSTATE;
	END;
END
$$;

SELECT is(refused(role, statement), '42501', role || ': ' || statement)
	FROM (VALUES (session_user::text), ('esteira_owner'), ('esteira_migrator'), ('esteira_backup'),
		('esteira_operator'), ('esteira_audit'), ('esteira_frame_audit'), ('esteira_intake'),
		('esteira_frame_intake'), ('esteira_ocr'), ('esteira_frame_ocr')) r(role)
	CROSS JOIN (VALUES ('audit.audit_logs'), ('audit.operations')) t(tbl)
	CROSS JOIN LATERAL (VALUES
		('UPDATE ' || tbl || ' SET metadata = ''{}'''),
		('DELETE FROM ' || tbl),
		('DELETE FROM ' || tbl || ' WHERE false'),
		('TRUNCATE ' || tbl)) s(statement);

SET LOCAL session_replication_role = replica;
SELECT is(refused(session_user::text, 'DELETE FROM audit.audit_logs'), '42501',
	'a session that calls itself a replica is refused too');
SET LOCAL session_replication_role = origin;

SELECT throws_ok($$ INSERT INTO audit.audit_logs (tenant_id, event_id, job_id, action, document_hash,
		occurred_at) SELECT tenant_id, event_id, job_id, 'PURGED', '', now() FROM audit.audit_logs $$,
	'23505', NULL, 'an event is in the trail once');
SELECT lives_ok($$ INSERT INTO audit.audit_logs (tenant_id, event_id, job_id, action, document_hash,
		occurred_at) SELECT tenant_id, event_id, job_id, 'PURGED', '', now() FROM audit.audit_logs
		ON CONFLICT DO NOTHING $$, 'and a repeated one can be passed over');
SELECT throws_ok($$ INSERT INTO audit.audit_logs (tenant_id, event_id, job_id, action, document_hash,
		occurred_at) VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'FORGED', '', now()) $$,
	'23514', NULL, 'no other action exists');

SELECT * FROM finish();
ROLLBACK;
