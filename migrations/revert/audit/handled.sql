-- Revert esteira:audit/handled from pg

BEGIN;
\set schema audit
\ir ../../template/handled_reader_revert.sql
\ir ../../template/handled_revert.sql
COMMIT;
