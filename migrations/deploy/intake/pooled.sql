-- Deploy esteira:intake/pooled to pg
--
-- What port/pg asks of a session when it begins one cannot be asked of a pooler's: PgBouncer gives
-- it to another with the next transaction. So the role's sessions have it from the start.

BEGIN;

ALTER ROLE esteira_intake SET lock_timeout = '5s';
ALTER ROLE esteira_intake SET idle_in_transaction_session_timeout = '5s';
ALTER ROLE esteira_intake SET statement_timeout = '30s';
ALTER ROLE esteira_intake SET timezone = 'UTC';

COMMIT;
