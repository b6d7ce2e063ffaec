-- Revert esteira:intake/dead_letter from pg

BEGIN;
\set schema intake
\ir ../../template/dead_letter_revert.sql
COMMIT;
