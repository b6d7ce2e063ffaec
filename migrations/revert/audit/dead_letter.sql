-- Revert esteira:audit/dead_letter from pg

BEGIN;
\set schema audit
\ir ../../template/dead_letter_reader_revert.sql
\ir ../../template/dead_letter_revert.sql
COMMIT;
