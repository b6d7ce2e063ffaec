-- The sweep: rules of every table, view, function and role, read from the catalogue, so that an
-- object which a later migration adds is judged too.

\ir prelude.psql
SELECT plan(19);

SELECT results_eq(
	$$ SELECT oid::regnamespace::text, nspowner::regrole::text FROM pg_namespace
		WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', 'sqitch', 'tap')
		ORDER BY 1 $$,
	$$ VALUES ('audit', 'esteira_owner'), ('intake', 'esteira_owner'), ('ocr', 'esteira_owner'),
		('outreach', 'esteira_owner') $$,
	'one schema a service, owned by esteira_owner');

SELECT is_empty(
	$$ SELECT c.oid::regclass, c.relowner::regrole FROM pg_class c
		WHERE c.relnamespace IN ('intake'::regnamespace, 'ocr'::regnamespace, 'audit'::regnamespace,
			'outreach'::regnamespace)
			AND c.relowner <> 'esteira_owner'::regrole $$,
	'every relation is owned by esteira_owner');

SELECT is_empty(
	$$ SELECT oid::regclass FROM our_table
		WHERE NOT keyed AND name NOT IN
			('fence', 'progress', 'attempt', 'partners', 'plans', 'cursor_key') $$,
	'every table but the partitions'' own bookkeeping, the partners, the plans and the key of cursors has tenant_id');

SELECT is_empty(
	$$ SELECT oid::regclass FROM our_table WHERE NOT secured $$,
	'row security is enabled and forced on every table');

SELECT is_empty(
	$$ SELECT oid::regclass FROM our_table t
		WHERE NOT EXISTS (SELECT FROM our_policy p WHERE p.tbl = t.oid AND p.permissive) $$,
	'every table has a permissive policy');

SELECT is_empty(
	$$ SELECT tbl::regclass, name FROM our_policy WHERE role = 0 $$,
	'no policy is TO PUBLIC');

SELECT is_empty(
	$$ SELECT DISTINCT t.oid::regclass, s.name
		FROM our_table t CROSS JOIN service s
		WHERE t.keyed AND NOT t.frame
			AND EXISTS (SELECT FROM our_grant g
				WHERE g.home = t.home AND g.name = t.name AND g.grantee = s.oid)
			AND NOT EXISTS (SELECT FROM our_policy p
				WHERE p.tbl = t.oid AND p.role = s.oid AND NOT p.permissive AND p.cmd = '*'
				AND p.qual = p.with_check AND regexp_replace(p.qual, '\s+', ' ', 'g') =
					'(tenant_id = ( SELECT (NULLIF(current_setting(''app.current_tenant''::text, '
					|| 'true), ''''::text))::uuid AS "nullif"))') $$,
	'a service that may touch a tenant table has the restrictive tenant policy there');

SELECT is_empty(
	$$ SELECT t.oid::regclass, g.grantee::regrole FROM our_table t
		JOIN our_grant g ON g.home = t.home AND g.name = t.name
		WHERE NOT EXISTS (SELECT FROM our_policy p
			WHERE p.tbl = t.oid AND p.role = g.grantee AND p.permissive) $$,
	'who has a grant on a table has a permissive policy there');

SELECT results_eq(
	$$ SELECT DISTINCT t.home || '.' || t.name, p.role::regrole::text FROM our_table t
		JOIN our_policy p ON p.tbl = t.oid AND p.permissive
		WHERE t.keyed AND NOT t.frame AND p.role NOT IN (SELECT oid FROM service) ORDER BY 1, 2 $$,
	$$ VALUES ('intake.api_keys', 'esteira_lookup'),
		('intake.idempotency', 'esteira_frame_intake'),
		('intake.ip_addresses', 'esteira_owner'),
		('intake.jobs', 'esteira_frame_intake'),
		('intake.partner_tenants', 'esteira_frame_intake'),
		('intake.partner_tenants', 'esteira_owner'),
		('intake.tenant_keys', 'esteira_owner'),
		('intake.tenants', 'esteira_frame_audit'),
		('intake.tenants', 'esteira_frame_intake'),
		('intake.tenants', 'esteira_frame_ocr'),
		('intake.tenants', 'esteira_frame_outreach'),
		('intake.tenants', 'esteira_lookup'),
		('intake.tenants', 'esteira_owner'),
		('outreach.deliveries', 'esteira_frame_outreach') $$,
	'exactly these see tenant tables across tenants');

SELECT is_empty(
	$$ SELECT t.oid::regclass, i.indexrelid::regclass
		FROM our_table t JOIN pg_index i ON i.indrelid = t.oid
		LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = i.indkey[0]
		WHERE t.keyed AND NOT t.frame AND a.attname IS DISTINCT FROM 'tenant_id'
			AND i.indexrelid::regclass::text NOT IN ('intake.tenants_slug_key',
				'intake.api_keys_key_hash_idx', 'intake.jobs_ended_idx',
				'outreach.deliveries_age_idx') $$,
	'every index of a tenant table leads with tenant_id, but for four with their reasons');

SELECT is_empty(
	$$ SELECT t.oid::regclass FROM our_table t
		WHERE NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = t.oid AND i.indisprimary) $$,
	'every table has a primary key');

SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c
		WHERE c.relkind IN ('v', 'm') AND c.relnamespace IN ('intake'::regnamespace,
				'ocr'::regnamespace, 'audit'::regnamespace, 'outreach'::regnamespace)
			AND (c.relkind = 'm' OR NOT coalesce('security_invoker=true' = ANY (c.reloptions), false)) $$,
	'every view runs with its caller''s rights');

SELECT is_empty(
	$$ SELECT p.oid::regprocedure, p.proowner::regrole FROM pg_proc p
		WHERE p.pronamespace IN ('intake'::regnamespace, 'ocr'::regnamespace, 'audit'::regnamespace,
			'outreach'::regnamespace)
			AND (p.proowner NOT IN ('esteira_owner'::regrole, 'esteira_lookup'::regrole)
			OR NOT EXISTS (SELECT FROM unnest(p.proconfig) c
				WHERE c ~ '^search_path=' AND c ~ '\mpg_temp"?$')) $$,
	'every function, SECURITY DEFINER above all, pins search_path and has a NOLOGIN owner');

SELECT is_empty(
	$$ SELECT p.oid::regprocedure FROM pg_proc p
		CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
		WHERE p.pronamespace IN ('intake'::regnamespace, 'ocr'::regnamespace, 'audit'::regnamespace,
			'outreach'::regnamespace)
			AND x.grantee = 0 $$,
	'PUBLIC may call nothing');

SELECT is_empty(
	$$ SELECT home, name, col, privilege FROM our_grant WHERE grantee = 0
		UNION ALL
		SELECT 'schema', nspname::text, NULL, x.privilege_type
		FROM pg_namespace CROSS JOIN LATERAL aclexplode(nspacl) x
		WHERE x.grantee = 0 AND nspname IN ('intake', 'ocr', 'audit', 'outreach', 'public')
		UNION ALL
		SELECT 'database', datname::text, NULL, x.privilege_type
		FROM pg_database
		CROSS JOIN LATERAL aclexplode(coalesce(datacl, acldefault('d', datdba))) x
		WHERE x.grantee = 0 AND datname = current_database() $$,
	'PUBLIC has no table, schema or database');

SELECT is_empty(
	$$ SELECT home, name, grantee::regrole, privilege FROM our_grant
		WHERE privilege NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') $$,
	'nobody but the owner may TRUNCATE, or has REFERENCES, TRIGGER or MAINTAIN');

SELECT results_eq(
	$$ SELECT oid::regrole::text, rolcanlogin, rolbypassrls FROM pg_roles
		WHERE rolname LIKE 'esteira\_%' ORDER BY 1 $$,
	$$ VALUES ('esteira_audit', true, false), ('esteira_backup', true, true),
		('esteira_frame_audit', true, false), ('esteira_frame_intake', true, false),
		('esteira_frame_ocr', true, false), ('esteira_frame_outreach', true, false),
		('esteira_intake', true, false), ('esteira_lookup', false, false),
		('esteira_migrator', true, true), ('esteira_ocr', true, false),
		('esteira_operator', true, false), ('esteira_outreach', true, false),
		('esteira_owner', false, false) $$,
	'only the backup and the migration pass row security');

SELECT is_empty(
	$$ SELECT rolname FROM pg_roles WHERE rolname LIKE 'esteira\_%'
		AND (rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication) $$,
	'no role of the suite is a superuser or makes roles');

SELECT results_eq(
	$$ SELECT member::regrole::text, roleid::regrole::text FROM pg_auth_members
		WHERE member::regrole::text LIKE 'esteira\_%' ORDER BY 1, 2 $$,
	$$ VALUES ('esteira_backup', 'pg_read_all_data'), ('esteira_migrator', 'pg_read_all_data'),
		('esteira_migrator', 'pg_write_all_data') $$,
	'no role of the suite is a member of another, but for these');

SELECT * FROM finish();
ROLLBACK;
