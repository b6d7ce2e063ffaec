-- Revert esteira:outreach/dead_letter from pg

BEGIN;
\set schema outreach
REVOKE USAGE ON SCHEMA outreach FROM esteira_intake;
\ir ../../template/dead_letter_reader_revert.sql
\ir ../../template/dead_letter_revert.sql
COMMIT;
