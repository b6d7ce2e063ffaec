-- Revert esteira:outreach/halt from pg

BEGIN;
\set schema outreach
\ir ../../template/halt_reader_revert.sql
\ir ../../template/halt_revert.sql
COMMIT;
