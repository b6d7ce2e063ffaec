-- Deploy esteira:audit/handled to pg

BEGIN;
\set schema audit
\ir ../../template/handled.sql
\ir ../../template/handled_reader.sql
COMMIT;
