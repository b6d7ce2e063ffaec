-- Who may do what, compared with the whole list: a grant too many is as red as one too few.

\ir prelude.psql
SELECT plan(6);

CREATE FUNCTION expected_frame() RETURNS TABLE (home text, name text, grantee text, rights text)
LANGUAGE sql AS $$
	SELECT s.home, t.name, g.grantee, CASE
			WHEN g.grantee = 'esteira_' || s.home AND t.name = 'outbox' THEN 'INSERT,SELECT'
			ELSE 'DELETE,INSERT,SELECT,UPDATE' END
	FROM (VALUES ('intake'), ('ocr'), ('audit'), ('outreach')) s(home)
	CROSS JOIN (VALUES ('inbox'), ('outbox'), ('effect'), ('claim'), ('fence'), ('progress'),
		('replay'), ('parked'), ('dead_letter'), ('attempt')) t(name)
	CROSS JOIN LATERAL (VALUES ('esteira_' || s.home), ('esteira_frame_' || s.home)) g(grantee)
$$;

SELECT results_eq(
	$$ SELECT g.home, g.name, g.grantee::regrole::text,
			string_agg(g.privilege, ',' ORDER BY g.privilege)
		FROM our_grant g JOIN our_table t ON t.home = g.home AND t.name = g.name
		WHERE t.frame AND g.col IS NULL AND g.grantee <> 'esteira_operator'::regrole
		GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 $$,
	$$ SELECT * FROM expected_frame() ORDER BY 1, 2, 3 $$,
	'frame tables: the service and its frame role, and nobody on a weekly partition');

SELECT results_eq(
	$$ SELECT g.home, g.name, g.grantee::regrole::text,
			string_agg(g.privilege, ',' ORDER BY g.privilege)
		FROM our_grant g LEFT JOIN our_table t ON t.home = g.home AND t.name = g.name
		WHERE t.frame IS NOT TRUE AND g.col IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 $$,
	$$ VALUES
		('audit', 'audit_logs', 'esteira_audit', 'INSERT,SELECT'),
		('audit', 'erasures', 'esteira_audit', 'INSERT,SELECT,UPDATE'),
		('audit', 'operations', 'esteira_audit', 'INSERT,SELECT'),
		('audit', 'v1_dead_letters', 'esteira_intake', 'SELECT'),
		('audit', 'v1_entries', 'esteira_intake', 'SELECT'),
		('audit', 'v1_erasures', 'esteira_intake', 'SELECT'),
		('audit', 'v1_handled', 'esteira_intake', 'SELECT'),
		('intake', 'api_keys', 'esteira_intake', 'DELETE,INSERT,SELECT'),
		('intake', 'cursor_key', 'esteira_frame_intake', 'SELECT'),
		('intake', 'deliveries', 'esteira_intake', 'DELETE,INSERT,SELECT'),
		('intake', 'erasures', 'esteira_intake', 'INSERT,SELECT,UPDATE'),
		('intake', 'idempotency', 'esteira_frame_intake', 'DELETE,SELECT'),
		('intake', 'idempotency', 'esteira_intake', 'DELETE,INSERT,SELECT'),
		('intake', 'ip_addresses', 'esteira_intake', 'DELETE,INSERT,SELECT'),
		('intake', 'jobs', 'esteira_frame_intake', 'SELECT,UPDATE'),
		('intake', 'jobs', 'esteira_intake', 'DELETE,INSERT,SELECT,UPDATE'),
		('intake', 'partner_tenants', 'esteira_frame_intake', 'SELECT'),
		('intake', 'partners', 'esteira_frame_intake', 'SELECT'),
		('intake', 'plans', 'esteira_lookup', 'SELECT'),
		('intake', 'tenant_keys', 'esteira_intake', 'DELETE,SELECT'),
		('intake', 'tenants', 'esteira_frame_intake', 'SELECT'),
		('intake', 'tenants', 'esteira_intake', 'SELECT'),
		('intake', 'v1_dead_letters', 'esteira_intake', 'SELECT'),
		('intake', 'v1_erasures', 'esteira_intake', 'SELECT'),
		('intake', 'v1_handled', 'esteira_intake', 'SELECT'),
		('intake', 'v1_open_jobs', 'esteira_ocr', 'SELECT'),
		('intake', 'v1_tenant_keys', 'esteira_intake', 'SELECT'),
		('intake', 'v1_tenant_keys', 'esteira_ocr', 'SELECT'),
		('intake', 'v1_tenant_keys', 'esteira_outreach', 'SELECT'),
		('intake', 'v1_tenants', 'esteira_frame_audit', 'SELECT'),
		('intake', 'v1_tenants', 'esteira_frame_intake', 'SELECT'),
		('intake', 'v1_tenants', 'esteira_frame_ocr', 'SELECT'),
		('intake', 'v1_tenants', 'esteira_frame_outreach', 'SELECT'),
		('intake', 'v1_webhook_endpoints', 'esteira_outreach', 'SELECT'),
		('intake', 'webhook_endpoints', 'esteira_intake', 'DELETE,INSERT,SELECT,UPDATE'),
		('ocr', 'erasures', 'esteira_ocr', 'INSERT,SELECT,UPDATE'),
		('ocr', 'v1_dead_letters', 'esteira_intake', 'SELECT'),
		('ocr', 'v1_erasures', 'esteira_intake', 'SELECT'),
		('ocr', 'v1_handled', 'esteira_intake', 'SELECT'),
		('outreach', 'attempts', 'esteira_intake', 'SELECT'),
		('outreach', 'attempts', 'esteira_outreach', 'INSERT,SELECT'),
		('outreach', 'deliveries', 'esteira_frame_outreach', 'DELETE'),
		('outreach', 'deliveries', 'esteira_outreach', 'DELETE,INSERT,SELECT,UPDATE'),
		('outreach', 'erasures', 'esteira_outreach', 'INSERT,SELECT,UPDATE'),
		('outreach', 'v1_attempts', 'esteira_intake', 'SELECT'),
		('outreach', 'v1_dead_letters', 'esteira_intake', 'SELECT'),
		('outreach', 'v1_deliveries', 'esteira_intake', 'SELECT'),
		('outreach', 'v1_erasures', 'esteira_intake', 'SELECT'),
		('outreach', 'v1_handled', 'esteira_intake', 'SELECT') $$,
	'the services'' own tables and the views across schemas');

SELECT results_eq(
	$$ SELECT g.home, g.name, g.grantee::regrole::text, g.privilege,
			string_agg(g.col, ',' ORDER BY g.col)
		FROM our_grant g
		WHERE g.col IS NOT NULL AND g.grantee <> 'esteira_operator'::regrole
		GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3 $$,
	$$ VALUES
		('audit', 'audit_logs', 'esteira_intake', 'SELECT',
			'action,document_hash,event_id,job_id,metadata,occurred_at,result_hash,tenant_id'),
		('audit', 'dead_letter', 'esteira_intake', 'SELECT',
			'attempts,blocks,created_at,error_class,error_code,error_message,event_id,'
			'first_failed_at,id,ordering_key,redrives,state,tenant_id,topic,updated_at'),
		('audit', 'erasures', 'esteira_intake', 'SELECT', 'counts,done_at,started_at,tenant_id'),
		('audit', 'inbox', 'esteira_intake', 'SELECT', 'event_id,grp,handled_at,tenant_id'),
		('intake', 'api_keys', 'esteira_intake', 'UPDATE', 'expires_at,revoked_at'),
		('intake', 'api_keys', 'esteira_lookup', 'SELECT',
			'expires_at,key_hash,key_id,lineage,partner,revoked_at,scopes,tenant_id'),
		('intake', 'jobs', 'esteira_ocr', 'SELECT', 'expires_at,job_id,key_half,status,tenant_id'),
		('intake', 'tenant_keys', 'esteira_ocr', 'SELECT', 'destroyed_at,tenant_id,version,wrapped'),
		('intake', 'tenant_keys', 'esteira_outreach', 'SELECT',
			'destroyed_at,tenant_id,version,wrapped'),
		('intake', 'tenants', 'esteira_frame_audit', 'SELECT', 'slug,state,state_at,tenant_id'),
		('intake', 'tenants', 'esteira_frame_ocr', 'SELECT', 'slug,state,state_at,tenant_id'),
		('intake', 'tenants', 'esteira_frame_outreach', 'SELECT', 'slug,state,state_at,tenant_id'),
		('intake', 'tenants', 'esteira_lookup', 'SELECT', 'deadline_s,plan,slug,state,tenant_id'),
		('intake', 'tenants', 'esteira_ocr', 'SELECT', 'slug,tenant_id'),
		('intake', 'tenants', 'esteira_outreach', 'SELECT', 'is_test,slug,state,tenant_id'),
		('intake', 'webhook_endpoints', 'esteira_outreach', 'SELECT',
			'endpoint_id,filters,key_version,old_key_version,old_secret,old_until,ordered,secret,state,'
			'tenant_id,url'),
		('ocr', 'dead_letter', 'esteira_intake', 'SELECT',
			'attempts,blocks,created_at,error_class,error_code,error_message,event_id,'
			'first_failed_at,id,ordering_key,redrives,state,tenant_id,topic,updated_at'),
		('ocr', 'erasures', 'esteira_intake', 'SELECT', 'counts,done_at,started_at,tenant_id'),
		('ocr', 'inbox', 'esteira_intake', 'SELECT', 'event_id,grp,handled_at,tenant_id'),
		('outreach', 'dead_letter', 'esteira_intake', 'SELECT',
			'attempts,blocks,created_at,error_class,error_code,error_message,event_id,'
			'first_failed_at,id,ordering_key,redrives,state,tenant_id,topic,updated_at'),
		('outreach', 'deliveries', 'esteira_frame_outreach', 'SELECT',
			'created_at,delivery_id,endpoint_id,event_id,round,tenant_id'),
		('outreach', 'deliveries', 'esteira_intake', 'SELECT',
			'attempts,created_at,delivered_at,delivery_id,endpoint_id,event_id,event_type,last_error,'
			'last_status,round,state,tenant_id,updated_at'),
		('outreach', 'erasures', 'esteira_intake', 'SELECT', 'counts,done_at,started_at,tenant_id'),
		('outreach', 'inbox', 'esteira_intake', 'SELECT', 'event_id,grp,handled_at,tenant_id') $$,
	'exactly the columns that a v1 view or the look-up reads');

SELECT results_eq(
	$$ SELECT n.oid::regnamespace::text, string_agg(x.grantee::regrole::text || ':' || x.privilege_type, ' '
			ORDER BY x.grantee::regrole::text, x.privilege_type)
		FROM pg_namespace n CROSS JOIN LATERAL aclexplode(n.nspacl) x
		WHERE n.nspname IN ('intake', 'ocr', 'audit', 'outreach') AND x.grantee <> n.nspowner
		GROUP BY 1 ORDER BY 1 $$,
	$$ VALUES
		('audit', 'esteira_audit:USAGE esteira_frame_audit:USAGE esteira_intake:USAGE'
			' esteira_operator:USAGE'),
		('intake', 'esteira_frame_audit:USAGE esteira_frame_intake:USAGE esteira_frame_ocr:USAGE'
			' esteira_frame_outreach:USAGE esteira_intake:USAGE esteira_lookup:USAGE'
			' esteira_ocr:USAGE esteira_operator:USAGE esteira_outreach:USAGE'),
		('ocr', 'esteira_frame_ocr:USAGE esteira_intake:USAGE esteira_ocr:USAGE'
			' esteira_operator:USAGE'),
		('outreach', 'esteira_frame_outreach:USAGE esteira_intake:USAGE esteira_operator:USAGE'
			' esteira_outreach:USAGE') $$,
	'schemas');

SELECT results_eq(
	$$ SELECT p.oid::regprocedure::text, string_agg(x.grantee::regrole::text, ' '
			ORDER BY x.grantee::regrole::text)
		FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) x
		WHERE p.pronamespace IN ('intake'::regnamespace, 'ocr'::regnamespace, 'audit'::regnamespace,
			'outreach'::regnamespace)
			AND x.grantee <> p.proowner
		GROUP BY 1 ORDER BY 1 $$,
	$$ VALUES
		('audit.dead_letter_discard(uuid[],uuid,text)', 'esteira_frame_audit esteira_migrator esteira_operator'),
		('audit.dead_letter_redrive(uuid[],uuid,text)', 'esteira_frame_audit esteira_migrator esteira_operator'),
		('audit.inbox_maintain()', 'esteira_audit esteira_frame_audit'),
		('audit.role_is_safe()', 'esteira_audit esteira_frame_audit'),
		('audit.tenant_discard(uuid[],text)', 'esteira_intake'),
		('audit.tenant_redrive(uuid[],text)', 'esteira_intake'),
		('intake.dead_letter_discard(uuid[],uuid,text)', 'esteira_frame_intake esteira_migrator esteira_operator'),
		('intake.dead_letter_redrive(uuid[],uuid,text)', 'esteira_frame_intake esteira_migrator esteira_operator'),
		('intake.destroy_tenant_keys(uuid)', 'esteira_frame_intake esteira_intake'),
		('intake.inbox_maintain()', 'esteira_frame_intake esteira_intake'),
		('intake.ip_expire()', 'esteira_frame_intake esteira_intake'),
		('intake.key_lookup(bytea)', 'esteira_intake'),
		('intake.partners_erase()', 'esteira_intake'),
		('intake.role_is_safe()', 'esteira_frame_intake esteira_intake'),
		('intake.tenant_discard(uuid[],text)', 'esteira_intake'),
		('intake.tenant_erased()', 'esteira_intake'),
		('intake.tenant_redrive(uuid[],text)', 'esteira_intake'),
		('ocr.dead_letter_discard(uuid[],uuid,text)', 'esteira_frame_ocr esteira_migrator esteira_operator'),
		('ocr.dead_letter_redrive(uuid[],uuid,text)', 'esteira_frame_ocr esteira_migrator esteira_operator'),
		('ocr.inbox_maintain()', 'esteira_frame_ocr esteira_ocr'),
		('ocr.role_is_safe()', 'esteira_frame_ocr esteira_ocr'),
		('ocr.tenant_discard(uuid[],text)', 'esteira_intake'),
		('ocr.tenant_redrive(uuid[],text)', 'esteira_intake'),
		('outreach.dead_letter_discard(uuid[],uuid,text)',
			'esteira_frame_outreach esteira_migrator esteira_operator'),
		('outreach.dead_letter_redrive(uuid[],uuid,text)',
			'esteira_frame_outreach esteira_migrator esteira_operator'),
		('outreach.inbox_maintain()', 'esteira_frame_outreach esteira_outreach'),
		('outreach.role_is_safe()', 'esteira_frame_outreach esteira_outreach'),
		('outreach.tenant_discard(uuid[],text)', 'esteira_intake'),
		('outreach.tenant_redrive(uuid[],text)', 'esteira_intake') $$,
	'functions');

SELECT is_empty(
	$$ SELECT g.home, g.name, g.col, g.privilege FROM our_grant g
		JOIN our_table t ON t.home = g.home AND t.name = g.name
		WHERE g.grantee = 'esteira_operator'::regrole
			AND (NOT t.frame OR g.privilege <> 'SELECT' OR g.col IN ('key', 'headers', 'payload')
			OR (g.col IS NULL AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid
				AND a.attname IN ('key', 'headers', 'payload')))) $$,
	'the operator reads frame tables, without what a record holds');

SELECT * FROM finish();
ROLLBACK;
