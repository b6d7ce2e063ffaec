-- Revert esteira:audit/halt from pg

BEGIN;
\set schema audit
\ir ../../template/halt_reader_revert.sql
\ir ../../template/halt_revert.sql
COMMIT;
