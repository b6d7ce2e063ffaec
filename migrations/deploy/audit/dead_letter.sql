-- Deploy esteira:audit/dead_letter to pg

BEGIN;
\set schema audit
\ir ../../template/dead_letter.sql
\ir ../../template/dead_letter_reader.sql
COMMIT;
