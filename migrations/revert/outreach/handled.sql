-- Revert esteira:outreach/handled from pg

BEGIN;
\set schema outreach
\ir ../../template/handled_reader_revert.sql
\ir ../../template/handled_revert.sql
COMMIT;
