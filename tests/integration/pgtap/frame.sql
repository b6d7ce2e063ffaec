-- The frame's tables as the roles use them, and the inbox's weeks.

\ir prelude.psql
SELECT no_plan();

CREATE FUNCTION partitions(home text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT c.relname::text COLLATE "default" FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = (home || '.inbox')::regclass ORDER BY 1
$$;
CREATE FUNCTION week(n int) RETURNS text LANGUAGE sql AS $$
	SELECT to_char(date_trunc('week', now() AT TIME ZONE 'UTC') + n * interval '7 days',
		'"inbox_"IYYY"w"IW')
$$;
CREATE FUNCTION add_week(home text, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	starts timestamptz := (date_trunc('week', now() AT TIME ZONE 'UTC') + n * interval '7 days')
		AT TIME ZONE 'UTC';
BEGIN
	EXECUTE format('CREATE TABLE %1$I.%2$I PARTITION OF %1$I.inbox FOR VALUES FROM (%3$L) TO (%4$L)',
		home, week(n), starts, starts + interval '7 days');
	EXECUTE format('ALTER TABLE %I.%I OWNER TO esteira_owner', home, week(n));
END
$$;
CREATE FUNCTION drop_week(home text, n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('DROP TABLE %I.%I', home, week(n));
END
$$;

SELECT is_empty(format('SELECT * FROM (VALUES (week(0)), (week(1)), (week(2))) w EXCEPT '
	'SELECT partitions(%L)', home), home || ': this and the next two weeks exist')
	FROM unnest(ARRAY['intake', 'ocr', 'audit', 'outreach']) home;

-- Past weeks to be dropped or kept, and a future one lost; called in a far time zone.
SET LOCAL timezone = 'Pacific/Kiritimati';
SELECT add_week('intake', n) FROM generate_series(-4, -1) n;
SELECT drop_week('intake', n) FROM generate_series(1, 2) n;
SET LOCAL ROLE esteira_intake;
SELECT intake.inbox_maintain();
SELECT intake.inbox_maintain();
RESET ROLE;
SELECT results_eq($$ SELECT partitions('intake') $$, $$ SELECT week(n) FROM generate_series(-2, 2) n $$,
	'what ended 14 days ago is dropped, the rest stays, what was missing is made');
SELECT results_eq($$ SELECT t.name, t.secured, count(p.*) FROM our_table t JOIN our_policy p ON p.tbl = t.oid
		WHERE t.home = 'intake' AND t.name IN (week(1), week(2)) GROUP BY 1, 2 ORDER BY 1 $$,
	$$ SELECT week(n), true, 2::bigint FROM generate_series(1, 2) n $$,
	'a new week has row security and the policies');
SELECT is(relowner::regrole::text, 'esteira_owner', 'and belongs to esteira_owner')
	FROM pg_class WHERE oid = ('intake.' || week(2))::regclass;

-- The roles at work
CREATE FUNCTION as_role(role text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	touched bigint;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE statement;
		GET DIAGNOSTICS touched = ROW_COUNT;
	EXCEPTION WHEN OTHERS THEN
		RESET ROLE;
		RETURN SQLSTATE;
	END;
	RESET ROLE;
	RETURN touched;
END
$$;

SELECT is(as_role(role, format(statement, home)), wanted, role || ': ' || format(statement, home))
	FROM unnest(ARRAY['intake', 'ocr', 'audit', 'outreach']) home
	CROSS JOIN LATERAL (VALUES ('esteira_' || home, false), ('esteira_frame_' || home, true)) r(role, frame)
	CROSS JOIN LATERAL (VALUES
		(1, 'INSERT INTO %I.fence (grp, topic, part) VALUES (current_user, ''t'', 0)', '1'),
		(2, 'SELECT FROM %I.fence WHERE grp = current_user FOR SHARE', '1'),
		(3, 'INSERT INTO %I.inbox (grp, event_id, tenant_id)'
			' VALUES (current_user, gen_random_uuid(), gen_random_uuid())', '1'),
		(4, 'SELECT FROM %I.inbox WHERE grp = current_user', '1'),
		(5, 'SELECT FROM %I.' || week(0), '42501'),
		(6, 'INSERT INTO %I.inbox (grp, event_id, tenant_id, handled_at)'
			' VALUES (current_user, gen_random_uuid(), gen_random_uuid(), ''2020-01-01'')', '23514'),
		(7, 'INSERT INTO %I.outbox (event_id, tenant_id, topic, part)'
			' VALUES (gen_random_uuid(), gen_random_uuid(), current_user, 0)', '1'),
		(8, 'SELECT FROM %I.outbox WHERE topic = current_user', '1'),
		(9, 'DELETE FROM %I.outbox WHERE topic = current_user', CASE WHEN frame THEN '1' ELSE '42501' END),
		(10, 'INSERT INTO %I.effect (tenant_id, kind, effect_key)'
			' VALUES (gen_random_uuid(), current_user, ''k'')', '1'),
		(11, 'UPDATE %I.effect SET state = ''sending'' WHERE kind = current_user', '1'),
		(12, 'UPDATE %I.effect SET state = ''lost'' WHERE kind = current_user', '23514'),
		(13, 'CREATE TABLE %I.own (x int)', '42501'),
		(14, 'CREATE TEMP TABLE own (x int)', '42501'),
		(15, 'INSERT INTO %I.parked (grp, topic, part, off, event_id, tenant_id, ordering_key, due_at,'
			' reason) SELECT current_user, ''t'', 0, row_number() OVER (), gen_random_uuid(),'
			' ''00000000-0000-0000-0000-000000000001'', ''k'', ''infinity'', r FROM unnest(ARRAY[''retry'', ''blocked'','
			' ''overflow'', ''hold'', ''breaker'', ''redrive'', ''suspended'']) r', '7'),
		(16, 'INSERT INTO %I.parked (grp, topic, part, off, event_id, tenant_id, ordering_key, due_at,'
			' reason) VALUES (current_user, ''t'', 0, 8, gen_random_uuid(), gen_random_uuid(), ''k'','
			' now(), ''lunch'')', '23514'),
		(17, 'INSERT INTO %I.parked (grp, topic, part, off, event_id, tenant_id, due_at, reason) VALUES'
			' (current_user, ''t'', 0, 8, gen_random_uuid(), gen_random_uuid(), now(), ''retry'')',
			'23502'),
		(18, 'INSERT INTO %I.parked (grp, topic, part, off, event_id, tenant_id, ordering_key, due_at,'
			' reason) VALUES (current_user, ''t'', 0, 7, gen_random_uuid(),'
			' ''00000000-0000-0000-0000-000000000001'', ''k'','
			' now(), ''retry'')', '23505'),
		(19, 'INSERT INTO %I.parked (grp, topic, part, off, event_id, tenant_id, ordering_key, due_at,'
			' reason) VALUES (current_user, ''t'', 0, 7, gen_random_uuid(),'
			' ''00000000-0000-0000-0000-000000000001'', ''k'','
			' now(), ''retry'') ON CONFLICT (grp, topic, part, tenant_id,'
			' ordering_key, off, epoch) DO NOTHING', '0'),
		(20, 'DELETE FROM %I.parked WHERE grp = current_user', '7'),
		(21, 'INSERT INTO %I.replay (grp, topic, part, from_offset, to_offset, state)'
			' VALUES (current_user, ''t'', 0, 5, 9, ''held'')', '1'),
		(22, 'INSERT INTO %I.replay (grp, topic, part, from_offset, to_offset, state)'
			' VALUES (current_user, ''t'', 0, 5, 9, ''open'')', '23505'),
		(23, 'INSERT INTO %I.replay (grp, topic, part, from_offset, to_offset, state)'
			' VALUES (current_user, ''t'', 0, 9, 5, ''refused'')', '23514'),
		(24, 'INSERT INTO %I.replay (grp, topic, part, from_offset, to_offset, state, kind) SELECT'
			' current_user, ''t'', 0, 5, 9, ''open'', ''side'' FROM generate_series(1, 2)', '2'),
		(25, 'INSERT INTO %I.attempt (grp, topic, part, off) VALUES (current_user, ''t'', 0, 1)', '1'),
		(26, 'UPDATE %I.attempt SET count = 0 WHERE grp = current_user', '23514'),
		(27, 'DELETE FROM %I.attempt WHERE grp = current_user', '1')) s(n, statement, wanted)
	ORDER BY home, frame, n;

SELECT is(as_role('esteira_intake', 'SELECT FROM ocr.outbox'), '42501',
	'not another service''s outbox');
SELECT is(as_role('esteira_ocr', 'SELECT FROM intake.inbox'), '42501',
	'not another service''s inbox');
SELECT is(as_role('esteira_operator', 'SELECT id, error_code FROM intake.dead_letter'), '0',
	'the operator lists dead letters');
SELECT is(as_role('esteira_operator', 'SELECT payload FROM intake.dead_letter'), '42501',
	'and does not read them');

SELECT is(as_role('esteira_operator', 'SELECT redrives, blocks, updated_at, decided_by FROM'
	' ocr.dead_letter'), '0', 'it sees what was decided of them');
SELECT is(as_role('esteira_operator', 'SELECT dead_letter_id FROM ocr.parked'), '0',
	'the operator sees what is on its way back');
SELECT is(as_role('esteira_operator', 'SELECT payload FROM ocr.parked'), '42501', 'without reading it');
SELECT is(as_role('esteira_operator', 'SELECT count FROM ocr.attempt'), '0', 'and attempts');

SELECT * FROM finish();
ROLLBACK;
