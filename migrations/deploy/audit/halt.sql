-- Deploy esteira:audit/halt to pg

BEGIN;
\set schema audit
\ir ../../template/halt.sql
\ir ../../template/halt_reader.sql
COMMIT;
