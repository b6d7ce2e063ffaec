-- Decisions about dead letters: who may decide about whose, once each, and what a tenant sees.

\ir prelude.psql
SELECT no_plan();

CREATE TABLE who (name text, id uuid);
INSERT INTO who VALUES ('a', gen_random_uuid()), ('b', gen_random_uuid());
GRANT SELECT ON who TO PUBLIC;
CREATE FUNCTION tenant(name text) RETURNS uuid LANGUAGE sql AS
	$$ SELECT id FROM tap.who w WHERE w.name = tenant.name $$;

-- What a statement answers as that role, with that tenant named; or its SQLSTATE.
CREATE FUNCTION as_role(role text, tenant uuid, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	PERFORM set_config('app.current_tenant', coalesce(tenant::text, ''), true);
	EXECUTE format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE statement INTO said;
	EXCEPTION WHEN OTHERS THEN
		RESET ROLE;
		RETURN SQLSTATE;
	END;
	RESET ROLE;
	RETURN said;
END
$$;

-- A letter of each tenant, one that blocks its key with a tombstone and a record behind, one of
-- nobody; in each schema.
CREATE FUNCTION fill(home text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	place text := 'grp, topic, part, off, event_id, tenant_id, ordering_key';
BEGIN
	EXECUTE format('INSERT INTO %I.dead_letter (id, %s, error_class, headers, key, payload, blocks)'
		' SELECT md5(%1$L || v.name)::uuid, ''g'', ''t'', 0, v.off, CASE WHEN v.off <> 4 THEN'
		' gen_random_uuid() END, tap.tenant(v.owner), v.key, ''schema'', ''h'', ''k'', ''p'', v.off = 3'
		' FROM (VALUES (''a1'', 1, ''a'', ''k1''), (''b1'', 2, ''b'', tap.tenant(''b'')::text),'
		' (''a2'', 3, ''a'', ''k2''), (''none'', 4, NULL, NULL)) v(name, off, owner, key)', home, place);
	EXECUTE format('INSERT INTO %I.parked (%s, due_at, reason) SELECT ''g'', ''t'', 0, v.off,'
		' gen_random_uuid(), tap.tenant(''a''), ''k2'', v.due::timestamptz, v.reason FROM (VALUES'
		' (3, ''infinity'', ''hold''), (9, ''now'', ''blocked'')) v(off, due, reason)', home, place);
END
$$;
CREATE FUNCTION letter(home text, name text) RETURNS uuid LANGUAGE sql AS
	$$ SELECT md5(home || name)::uuid $$;
CREATE FUNCTION call(home text, name text, letters text[], args text) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT string_agg(outcome, '','' ORDER BY outcome) FROM %I.%I(ARRAY[%s]::uuid[], %s)',
		home, name, (SELECT string_agg(quote_literal(letter(home, l)), ',') FROM unnest(letters) l), args)
$$;
CREATE FUNCTION one(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	EXECUTE statement INTO said;
	RETURN said;
END
$$;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tap TO PUBLIC;
CREATE TABLE homes AS SELECT unnest(ARRAY['intake', 'ocr', 'audit', 'outreach']) AS home;
SELECT fill(home) FROM homes;

-- who may call
SELECT is(as_role(r.role, tenant('a'), call(home, f.name, ARRAY['a1'], 'NULL, ''x''')), '42501',
	r.role || ' may not call ' || home || '.' || f.name)
	FROM homes CROSS JOIN (VALUES ('dead_letter_redrive'), ('dead_letter_discard')) f(name)
	CROSS JOIN (VALUES ('esteira_intake'), ('esteira_ocr'), ('esteira_audit')) r(role);
SELECT is(as_role(r.role, tenant('a'), call(home, f.name, ARRAY['a1'], '''x''')), '42501',
	r.role || ' may not call ' || home || '.' || f.name)
	FROM homes CROSS JOIN (VALUES ('tenant_redrive'), ('tenant_discard')) f(name)
	CROSS JOIN (VALUES ('esteira_ocr'), ('esteira_audit'), ('esteira_operator')) r(role);

-- the tenant's own: no tenant is nobody, another's letter is not there
SELECT is(as_role('esteira_intake', NULL, call(home, f.name, ARRAY['a1'], '''x''')), '42501',
	home || ': ' || f.name || ' without a tenant is refused')
	FROM homes CROSS JOIN (VALUES ('tenant_redrive'), ('tenant_discard')) f(name);
SELECT is(as_role('esteira_intake', tenant('b'), call(home, f.name, ARRAY['a1', 'a2', 'none'], '''x''')),
	NULL, home || ': ' || f.name || ' finds no letter of another tenant, and none of nobody')
	FROM homes CROSS JOIN (VALUES ('tenant_redrive'), ('tenant_discard')) f(name);
SELECT is(one(format('SELECT count(*) FROM %I.dead_letter WHERE grp = ''g'' AND state = ''open''', home)),
	'4', home || ': and nothing has changed') FROM homes;
SELECT is(as_role('esteira_intake', tenant('a'), call(home, 'tenant_redrive', ARRAY['a1'], '''''')),
	'22023', home || ': who decides has to be said') FROM homes;

-- the view
SELECT is(as_role('esteira_intake', t.id, format(
	'SELECT string_agg(id::text, '','' ORDER BY id::text) FROM %I.v1_dead_letters', home)), t.sees,
	home || ': the view shows ' || t.what)
	FROM homes CROSS JOIN LATERAL (VALUES (NULL::uuid, 'nothing without a tenant', NULL),
		(tenant('b'), 'tenant b his one', letter(home, 'b1')::text),
		(tenant('a'), 'tenant a his two', least(letter(home, 'a1')::text, letter(home, 'a2')::text) || ','
			|| greatest(letter(home, 'a1')::text, letter(home, 'a2')::text))) t(id, what, sees);
SELECT is(as_role('esteira_intake', tenant('b'), format('SELECT ordering_key FROM %I.v1_dead_letters',
	home)), NULL, home || ': and not the tenant''s id as ordering key') FROM homes;
SELECT is(as_role('esteira_intake', tenant('a'), format('SELECT %s FROM %I.dead_letter', col, home)),
	'42501', home || ': intake cannot read ' || col)
	FROM homes CROSS JOIN (VALUES ('key'), ('headers'), ('payload'), ('decided_by')) c(col)
	WHERE home <> 'intake';
SELECT is_empty(format($$ SELECT column_name FROM information_schema.columns
	WHERE table_schema = %L AND table_name = 'v1_dead_letters'
	AND column_name IN ('key', 'headers', 'payload') $$, home),
	home || ': the view has no content') FROM homes;
SELECT is(as_role('esteira_intake', tenant('a'), format('SELECT count(*) FROM %I.dead_letter', home)),
	'2', home || ': the table itself shows intake one tenant') FROM homes WHERE home <> 'intake';

-- redrive
SELECT is(as_role('esteira_intake', tenant('a'), call(home, 'tenant_redrive', ARRAY['a1', 'b1', 'a1'],
	'''uk_1''')), 'done', home || ': the tenant redrives his own') FROM homes;
SELECT is(as_role('esteira_intake', tenant('a'), call(home, 'tenant_redrive', ARRAY['a1'], '''uk_2''')),
	'not_open', home || ': and not twice') FROM homes;
SELECT is(one(format('SELECT count(*) || max(reason) || max(p.headers::text) || max(dead_letter_id::text)'
	' || bool_and(p.due_at <= now() AND p.tenant_id = d.tenant_id AND p.event_id = d.event_id'
	' AND p.ordering_key = ''k1'' AND p.key = ''k'' AND p.payload = ''p'')'
	' || max(d.state) || max(d.decided_by)'
	' FROM %1$I.parked p JOIN %1$I.dead_letter d ON d.id = p.dead_letter_id', home)),
	'1redrive\x68' || letter(home, 'a1') || 'trueredrivinguk_1', home || ': parked once, due, whole')
	FROM homes;
SELECT is(as_role(r.role, NULL, call(home, 'dead_letter_redrive', ARRAY['a2', 'b1', 'none', 'a1'],
	format('%L, ''op''', tenant('a')))), r.wanted, home || ': ' || r.role || ' redrives of one tenant')
	FROM homes CROSS JOIN LATERAL (VALUES ('esteira_operator', 'done,not_open')) r(role, wanted);
SELECT is(one(format('SELECT reason || off || (due_at <= now()) || (payload = ''p'') FROM %I.parked'
	' WHERE dead_letter_id = %L', home, letter(home, 'a2'))), 'redrive3truetrue',
	home || ': the tombstone has become the record') FROM homes;
SELECT is(one(format('SELECT count(*) FROM %I.parked WHERE grp = ''g''', home)), '3',
	home || ': in its place') FROM homes;
SELECT is(as_role('esteira_frame_' || home, NULL, call(home, 'dead_letter_redrive',
	ARRAY['b1', 'none', 'a1'], 'NULL, ''auto''')), 'done,not_open,refused',
	home || ': of any tenant, but not what names none') FROM homes;

-- discard, from the state after a redrive that failed
SELECT one(format('UPDATE %1$I.dead_letter SET state = ''open'' WHERE id = %2$L; UPDATE %1$I.parked SET'
	' reason = ''hold'', due_at = ''infinity'', payload = NULL WHERE dead_letter_id = %2$L RETURNING ''''',
	home, letter(home, 'a2'))) FROM homes;
SELECT is(as_role('esteira_intake', tenant('a'), call(home, 'tenant_discard', ARRAY['a1', 'a2', 'b1'],
	'''uk_1''')), 'done,not_open', home || ': a tenant discards what is open') FROM homes;
SELECT is(one(format('SELECT state || decided_by || (headers IS NULL AND key IS NULL AND payload IS NULL)'
	' FROM %I.dead_letter WHERE id = %L', home, letter(home, 'a2'))), 'discardeduk_1true',
	home || ': what it held is erased') FROM homes;
SELECT is(one(format('SELECT string_agg(off::text, '','' ORDER BY off) FROM %I.parked WHERE grp = ''g''',
	home)), '1,2,9', home || ': its key waits no longer, and what is on its way stays') FROM homes;
SELECT is(as_role('esteira_migrator', NULL, call(home, 'dead_letter_discard', ARRAY['none', 'a2'],
	'NULL, ''op''')), 'done,not_open', home || ': what names no tenant can be discarded') FROM homes;

SELECT * FROM finish();
ROLLBACK;
