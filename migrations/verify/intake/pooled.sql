-- Verify esteira:intake/pooled on pg

BEGIN;
SELECT 1 / count(*) FROM pg_roles WHERE rolname = 'esteira_intake' AND rolconfig @> ARRAY['lock_timeout=5s',
	'idle_in_transaction_session_timeout=5s', 'statement_timeout=30s'];
ROLLBACK;
