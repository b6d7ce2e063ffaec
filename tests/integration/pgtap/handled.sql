-- Which events were handled: a tenant sees his own, intake nothing else of another service's inbox.

\ir prelude.psql
SELECT no_plan();

CREATE TABLE who (name text, id uuid);
INSERT INTO who VALUES ('a', gen_random_uuid()), ('b', gen_random_uuid());
CREATE FUNCTION tenant(name text) RETURNS uuid LANGUAGE sql AS
	$$ SELECT id FROM tap.who w WHERE w.name = tenant.name $$;

-- What a statement answers as esteira_intake, with that tenant named; or its SQLSTATE.
CREATE FUNCTION as_intake(tenant uuid, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	PERFORM set_config('app.current_tenant', coalesce(tenant::text, ''), true);
	SET LOCAL ROLE esteira_intake;
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

-- Two events of a, one of them handled again in a replay; one of b.
CREATE FUNCTION fill(home text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('INSERT INTO %I.inbox (grp, event_id, epoch, tenant_id) SELECT ''g'','
		' md5(v.name)::uuid, v.epoch, v.id FROM (VALUES (''a1'', 0, tap.tenant(''a'')),'
		' (''a1'', 7, tap.tenant(''a'')), (''a2'', 0, tap.tenant(''a'')), (''b1'', 0, tap.tenant(''b'')))'
		' v(name, epoch, id)', home);
END
$$;
CREATE TABLE homes AS SELECT unnest(ARRAY['intake', 'ocr', 'audit', 'outreach']) AS home;
SELECT fill(home) FROM homes;

SELECT is(as_intake(t.id, format('SELECT count(*) FROM %I.v1_handled WHERE grp = ''g''', home)), t.sees,
	home || ': the view shows ' || t.what)
	FROM homes CROSS JOIN LATERAL (VALUES (NULL::uuid, 'nothing without a tenant', '0'),
		(tenant('b'), 'tenant b his one', '1'), (tenant('a'), 'tenant a his three', '3'))
		t(id, what, sees);
SELECT is(as_intake(tenant('b'), format('SELECT count(*) FROM %I.inbox WHERE grp = ''g''', home)), '1',
	home || ': the table itself shows intake one tenant') FROM homes WHERE home <> 'intake';
SELECT is(as_intake(tenant('a'), format('SELECT outputs FROM %I.inbox', home)), '42501',
	home || ': intake cannot read what a record put out') FROM homes WHERE home <> 'intake';
SELECT is(as_intake(tenant('a'), format('INSERT INTO %I.inbox (grp, event_id, tenant_id) VALUES (''g'','
	' gen_random_uuid(), %L)', home, tenant('a'))), '42501', home || ': nor write into it')
	FROM homes WHERE home <> 'intake';

SELECT * FROM finish();
ROLLBACK;
