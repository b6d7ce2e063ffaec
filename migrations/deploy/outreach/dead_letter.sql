-- Deploy esteira:outreach/dead_letter to pg

BEGIN;
\set schema outreach
\ir ../../template/dead_letter.sql
\ir ../../template/dead_letter_reader.sql
GRANT USAGE ON SCHEMA outreach TO esteira_intake;
COMMIT;
