-- Deploy esteira:outreach/handled to pg

BEGIN;
\set schema outreach
\ir ../../template/handled.sql
\ir ../../template/handled_reader.sql
COMMIT;
