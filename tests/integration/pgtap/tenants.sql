-- Two tenants in every tenant table. Each service role, as tenant A, meets nothing of B: not to read,
-- not to insert, not to change, not to move there; without a tenant it meets nothing at all.

\ir prelude.psql
SELECT no_plan();

INSERT INTO intake.tenants (tenant_id, slug, name)
VALUES ('a0000000-0000-4000-8000-000000000000', 'tenant-a', 'A'),
	('b0000000-0000-4000-8000-000000000000', 'tenant-b', 'B');
INSERT INTO intake.api_keys (tenant_id, key_id, key_hash, scopes)
	SELECT tenant_id, '0123abcd', sha256(slug::bytea), '{extract}' FROM intake.tenants;
INSERT INTO intake.tenant_keys (tenant_id, version, wrapped)
	SELECT tenant_id, 1, 'wrapped' FROM intake.tenants;
INSERT INTO intake.partners (slug, name) VALUES ('partner', 'P');
INSERT INTO intake.partner_tenants (tenant_id, partner)
	SELECT tenant_id, 'partner' FROM intake.tenants;
INSERT INTO intake.jobs (tenant_id, job_id, document_hash, size_bytes, key_half, expires_at)
	SELECT tenant_id, tenant_id, '', 1, 'half', now() + interval '1 hour' FROM intake.tenants;
INSERT INTO intake.idempotency (tenant_id, route, key, document_hash, job_id)
	SELECT tenant_id, 'extract', 'k', '', tenant_id FROM intake.tenants;
INSERT INTO intake.deliveries (tenant_id, job_id, api_key_hash)
	SELECT tenant_id, tenant_id, '' FROM intake.tenants;
INSERT INTO audit.audit_logs (tenant_id, event_id, job_id, action, document_hash, occurred_at)
	SELECT tenant_id, tenant_id, tenant_id, 'RECEIVED', '', now() FROM intake.tenants;
INSERT INTO audit.operations (tenant_id, event_id, actor, action, occurred_at)
	SELECT tenant_id, tenant_id, 'test', 'test', now() FROM intake.tenants;
INSERT INTO intake.webhook_endpoints (tenant_id, endpoint_id, url, key_version, secret)
	SELECT tenant_id, tenant_id, 'https://example.com/', 1, decode(repeat('00', 60), 'hex')
	FROM intake.tenants;
INSERT INTO outreach.deliveries (tenant_id, delivery_id, endpoint_id, event_id, event_type, body)
	SELECT tenant_id, tenant_id, tenant_id, tenant_id, 'document.completed', '{}' FROM intake.tenants;
INSERT INTO outreach.attempts (tenant_id, delivery_id, number, took_ms)
	SELECT tenant_id, tenant_id, 1, 0 FROM intake.tenants;
INSERT INTO intake.ip_addresses (tenant_id, event_id, ip)
	SELECT tenant_id, tenant_id, '192.0.2.1' FROM intake.tenants;
INSERT INTO intake.erasures (tenant_id) SELECT tenant_id FROM intake.tenants;
INSERT INTO ocr.erasures (tenant_id) SELECT tenant_id FROM intake.tenants;
INSERT INTO audit.erasures (tenant_id) SELECT tenant_id FROM intake.tenants;
INSERT INTO outreach.erasures (tenant_id) SELECT tenant_id FROM intake.tenants;

CREATE FUNCTION a() RETURNS uuid LANGUAGE sql IMMUTABLE
	AS $$ SELECT 'a0000000-0000-4000-8000-000000000000'::uuid $$;
CREATE FUNCTION b() RETURNS uuid LANGUAGE sql IMMUTABLE
	AS $$ SELECT 'b0000000-0000-4000-8000-000000000000'::uuid $$;

-- Runs one statement as a role and a tenant ('' = none): rows it answered or touched, or its error.
CREATE FUNCTION try_as(role text, tenant text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	touched bigint;
BEGIN
	PERFORM set_config('app.current_tenant', tenant, true);
	EXECUTE format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE statement;
		GET DIAGNOSTICS touched = ROW_COUNT;
	EXCEPTION WHEN OTHERS THEN
		RESET ROLE;
		RETURN SQLERRM;
	END;
	RESET ROLE;
	RETURN touched;
END
$$;

-- The tests of one role on one table; what it was not granted is refused one layer earlier.
CREATE FUNCTION matrix(role text, tbl regclass) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
	what text := role || ' on ' || tbl::text || ': ';
	refused text := 'new row violates row-level security policy%';
	neighbour jsonb;
	col text;
BEGIN
	IF has_any_column_privilege(role, tbl, 'SELECT') THEN
		RETURN NEXT is(try_as(role, a()::text, format('SELECT tenant_id FROM %s', tbl)), '1',
			what || 'A sees its row only');
		RETURN NEXT is(try_as(role, a()::text, format('SELECT tenant_id FROM %s WHERE tenant_id = b()',
			tbl)), '0', what || 'A finds nothing of B');
		RETURN NEXT is(try_as(role, '', format('SELECT tenant_id FROM %s', tbl)), '0',
			what || 'without a tenant nothing is seen');
	END IF;
	IF has_any_column_privilege(role, tbl, 'INSERT') THEN
		EXECUTE format('SELECT to_jsonb(t) FROM %s t WHERE tenant_id = b()', tbl) INTO neighbour;
		RETURN NEXT alike(try_as(role, a()::text, format(
			'INSERT INTO %s SELECT * FROM jsonb_populate_record(NULL::%1$s, %L)', tbl, neighbour)),
			refused, what || 'A cannot insert for B');
		RETURN NEXT alike(try_as(role, '', format(
			'INSERT INTO %s SELECT * FROM jsonb_populate_record(NULL::%1$s, %L)', tbl, neighbour)),
			refused, what || 'without a tenant nothing is inserted');
	END IF;
	IF has_table_privilege(role, tbl, 'UPDATE') THEN
		RETURN NEXT is(try_as(role, a()::text, format(
			'UPDATE %s SET tenant_id = tenant_id WHERE tenant_id = b()', tbl)), '0',
			what || 'A changes nothing of B');
		RETURN NEXT alike(try_as(role, a()::text, format('UPDATE %s SET tenant_id = b()', tbl)),
			refused, what || 'A cannot give its row to B');
	ELSIF has_any_column_privilege(role, tbl, 'UPDATE') THEN
		SELECT quote_ident(attname) INTO col FROM pg_attribute WHERE attrelid = tbl AND attnum > 0
			AND NOT attisdropped AND has_column_privilege(role, tbl, attnum, 'UPDATE') LIMIT 1;
		RETURN NEXT is(try_as(role, a()::text, format(
			'UPDATE %s SET %2$s = %2$s WHERE tenant_id = b()', tbl, col)), '0',
			what || 'A changes nothing of B');
		RETURN NEXT alike(try_as(role, a()::text, format('UPDATE %s SET tenant_id = b()', tbl)),
			'permission denied%', what || 'A cannot give its row to B');
	ELSE
		RETURN NEXT alike(try_as(role, a()::text, format('UPDATE %s SET tenant_id = tenant_id', tbl)),
			'permission denied%', what || 'nothing is updated');
	END IF;
	IF has_table_privilege(role, tbl, 'DELETE') THEN
		RETURN NEXT is(try_as(role, a()::text, format('DELETE FROM %s WHERE tenant_id = b()', tbl)),
			'0', what || 'A deletes nothing of B');
		RETURN NEXT is(try_as(role, '', format('DELETE FROM %s', tbl)), '0',
			what || 'without a tenant nothing is deleted');
	ELSE
		RETURN NEXT alike(try_as(role, a()::text, format('DELETE FROM %s', tbl)),
			'permission denied%', what || 'nothing is deleted');
	END IF;
END
$$;

CREATE FUNCTION rows_of(tbl regclass) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM %s WHERE tenant_id IN (a(), b())', tbl) INTO n;
	RETURN n;
END
$$;
SELECT is(rows_of(oid), 2::bigint, oid::regclass || ' has a row of A and one of B here')
	FROM our_table WHERE keyed AND NOT frame ORDER BY home, name;

SELECT matrix(s.name, t.oid) FROM our_table t CROSS JOIN service s
	WHERE t.keyed AND NOT t.frame AND EXISTS (SELECT FROM our_grant g
		WHERE g.home = t.home AND g.name = t.name AND g.grantee = s.oid)
	ORDER BY s.name, t.home, t.name;

-- Views across schemas
SELECT is(try_as(role, tenant, 'SELECT tenant_id FROM ' || v), wanted,
		format('%s on %s as tenant ''%s''', role, v, tenant))
	FROM (VALUES ('esteira_ocr', 'intake.v1_open_jobs'), ('esteira_ocr', 'intake.v1_tenant_keys'),
		('esteira_intake', 'audit.v1_entries'), ('esteira_outreach', 'intake.v1_webhook_endpoints'),
		('esteira_outreach', 'intake.v1_tenant_keys'), ('esteira_intake', 'outreach.v1_deliveries'),
		('esteira_intake', 'outreach.v1_attempts'), ('esteira_intake', 'intake.v1_erasures'),
		('esteira_intake', 'ocr.v1_erasures'), ('esteira_intake', 'audit.v1_erasures'),
		('esteira_intake', 'outreach.v1_erasures')) r(role, v)
	CROSS JOIN (VALUES (a()::text, '1'), ('', '0')) t(tenant, wanted);
SELECT alike(try_as(role, a()::text, 'SELECT tenant_id FROM ' || v), 'permission denied%',
		role || ' may not read ' || v)
	FROM (VALUES ('esteira_audit', 'intake.v1_open_jobs'), ('esteira_audit', 'intake.v1_tenant_keys'),
		('esteira_frame_ocr', 'intake.v1_open_jobs'), ('esteira_ocr', 'audit.v1_entries'),
		('esteira_ocr', 'intake.v1_webhook_endpoints'), ('esteira_outreach', 'intake.v1_open_jobs'),
		('esteira_audit', 'outreach.v1_deliveries')) r(role, v);

-- A job leaves v1_open_jobs with its end, its half of the key, or its deadline.
CREATE FUNCTION open_after(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE 'UPDATE intake.jobs SET ' || change || ' WHERE tenant_id = a()';
	answer := try_as('esteira_ocr', a()::text, 'SELECT job_id FROM intake.v1_open_jobs');
	RAISE EXCEPTION USING MESSAGE = answer, ERRCODE = 'ES000'; -- undo the change
EXCEPTION WHEN SQLSTATE 'ES000' THEN
	RETURN SQLERRM;
END
$$;
SELECT is(open_after(change), wanted, 'v1_open_jobs after ' || change) FROM (VALUES
	('status = ''processing''', '1'),
	('status = ''completed''', '0'),
	('status = ''failed''', '0'),
	('key_half = NULL', '0'),
	('expires_at = now()', '0')) t(change, wanted);
SELECT throws_ok($$ UPDATE intake.jobs SET purged_at = now() $$, '23514', NULL,
	'a purged job keeps no half of its key');

-- The frame role crosses tenants, and deletes idempotency keys only when they are old.
SELECT is(try_as('esteira_frame_intake', '', 'SELECT job_id FROM intake.jobs'), '2',
	'the purger sees every tenant''s jobs');
SELECT is(try_as('esteira_frame_intake', '', 'DELETE FROM intake.idempotency'), '0',
	'a young idempotency key stays');
UPDATE intake.idempotency SET created_at = now() - interval '15 days' WHERE tenant_id = b();
SELECT is(try_as('esteira_frame_intake', '', 'DELETE FROM intake.idempotency'), '1',
	'one older than 14 days goes');

-- What a service deletes of a tenant's, it deletes only while the tenant is being erased: each table
-- with a right to delete, but for the one whose rows the tenant himself deletes.
CREATE FUNCTION after_state(new_state text, role text, statement text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	UPDATE intake.tenants SET state = new_state WHERE tenant_id = a();
	answer := try_as(role, a()::text, statement);
	RAISE EXCEPTION USING MESSAGE = answer, ERRCODE = 'ES000';
EXCEPTION WHEN SQLSTATE 'ES000' THEN
	RETURN SQLERRM;
END
$$;
SELECT is(after_state(state, s.name, 'DELETE FROM ' || t.oid::regclass), wanted,
		format('%s deletes from %s of a tenant who is %s', s.name, t.oid::regclass, state))
	FROM our_table t CROSS JOIN service s
	CROSS JOIN (VALUES ('active', '0'), ('suspended', '0'), ('erasing', '1'), ('erased', '0')) w(state, wanted)
	WHERE t.keyed AND NOT t.frame AND t.oid <> 'intake.webhook_endpoints'::regclass
		AND has_table_privilege(s.oid, t.oid, 'DELETE')
	ORDER BY 1;
SELECT is(after_state(state, 'esteira_intake', statement), wanted,
		format('%s of a tenant who is %s', statement, state))
	FROM (VALUES ('SELECT 1 WHERE intake.partners_erase() = 1'), -- the partner is another tenant's too
		('SELECT intake.tenant_erased()')) f(statement)
	CROSS JOIN (VALUES ('active', '0'), ('suspended', '0'), ('erasing', '1'), ('erased', '0')) w(state, wanted);
SELECT is(after_state('erasing', 'esteira_intake', 'WITH gone AS (SELECT intake.tenant_erased() AS slug)'
		' SELECT slug FROM gone WHERE slug = ''tenant-a'''), '1', 'it is the tenant of the transaction who ends');
SELECT is((SELECT count(*) FROM intake.partners), 1::bigint, 'a partner of two tenants stays');

-- Look-up of an API key, before a tenant is known
CREATE FUNCTION lookup(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE 'UPDATE intake.api_keys SET ' || change || ' WHERE tenant_id = a()';
	answer := try_as('esteira_intake', '',
		'SELECT FROM intake.key_lookup(sha256(''tenant-a''))');
	RAISE EXCEPTION USING MESSAGE = answer, ERRCODE = 'ES000';
EXCEPTION WHEN SQLSTATE 'ES000' THEN
	RETURN SQLERRM;
END
$$;
SELECT is(lookup(change), wanted, 'key_lookup after ' || change) FROM (VALUES
	('key_id = key_id', '1'),
	('expires_at = now() + interval ''1 hour''', '1'),
	('expires_at = now()', '0'),
	('revoked_at = now()', '0'),
	('key_hash = sha256(''other'')', '0')) t(change, wanted);
UPDATE intake.tenants SET state = 'suspended' WHERE tenant_id = a();
SELECT results_eq($$ SELECT * FROM intake.key_lookup(sha256('tenant-a')) $$,
	$$ SELECT a(), 'tenant-a', 'suspended', 600, '0123abcd', 'self', '{extract}'::text[], 30, 300, 100,
		'0123abcd' $$,
	'key_lookup answers for a suspended tenant and says so');
SELECT alike(try_as(role, '', 'SELECT FROM intake.key_lookup(''\x00'')'),
	'permission denied%', role || ' may not look keys up')
	FROM unnest(ARRAY['esteira_ocr', 'esteira_audit', 'esteira_frame_intake', 'esteira_operator']) role;

INSERT INTO intake.ip_addresses (tenant_id, event_id, ip, created_at)
SELECT gen_random_uuid(), gen_random_uuid(), '192.0.2.1', now() - age * interval '1 month'
	FROM generate_series(0, 8, 4) age;
SET LOCAL ROLE esteira_frame_intake;
SELECT is(intake.ip_expire(), 1::bigint, 'ip_expire deletes what is older than six months');
SELECT is(intake.ip_expire(), 0::bigint, 'and nothing twice');
RESET ROLE;
SELECT is((SELECT count(*) FROM intake.ip_addresses), 4::bigint, 'younger addresses stay');

SELECT * FROM finish();
ROLLBACK;
