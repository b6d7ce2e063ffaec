-- Deploy esteira:outreach/halt to pg

BEGIN;
\set schema outreach
\ir ../../template/halt.sql
\ir ../../template/halt_reader.sql
COMMIT;
