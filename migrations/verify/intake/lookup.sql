-- Verify esteira:intake/lookup on pg

BEGIN;
SELECT 1 / count(*) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
	WHERE p.oid = 'intake.key_lookup(bytea)'::regprocedure AND l.lanname = 'plpgsql'
		AND p.proowner = 'esteira_lookup'::regrole AND p.prosecdef;
ROLLBACK;
