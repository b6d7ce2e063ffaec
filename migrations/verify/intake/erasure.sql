-- Verify esteira:intake/erasure on pg

BEGIN;
\set schema intake
\ir ../../template/erasure_verify.sql

-- who may delete is held back by the tenant's state
DO $$
BEGIN
	ASSERT (SELECT count(*) = 6 FROM pg_policies WHERE schemaname = 'intake'
		AND policyname = 'esteira_intake_erasing' AND permissive = 'RESTRICTIVE' AND cmd = 'DELETE'),
		'policies of the erasure';
	ASSERT has_function_privilege('esteira_intake', 'intake.partners_erase()', 'EXECUTE')
		AND has_function_privilege('esteira_intake', 'intake.tenant_erased()', 'EXECUTE'),
		'functions of the erasure';
END
$$;
ROLLBACK;
