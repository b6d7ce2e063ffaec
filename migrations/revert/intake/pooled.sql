-- Revert esteira:intake/pooled from pg

BEGIN;

ALTER ROLE esteira_intake RESET lock_timeout;
ALTER ROLE esteira_intake RESET idle_in_transaction_session_timeout;
ALTER ROLE esteira_intake RESET statement_timeout;
ALTER ROLE esteira_intake RESET timezone;

COMMIT;
