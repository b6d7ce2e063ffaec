-- Deploy esteira:audit/conveyor to pg

BEGIN;
\set schema audit
\ir ../../template/conveyor.sql
COMMIT;
