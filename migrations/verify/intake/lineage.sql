-- Verify esteira:intake/lineage on pg

BEGIN;

SELECT lineage FROM intake.api_keys WHERE false;
SELECT 1 / count(*) FROM pg_proc
	WHERE oid = 'intake.key_lookup(bytea)'::regprocedure AND proowner = 'esteira_lookup'::regrole AND prosecdef;

SET LOCAL ROLE esteira_intake;
SELECT key_id, lineage FROM intake.key_lookup('\x00');

ROLLBACK;
