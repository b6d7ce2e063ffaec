-- Revert esteira:audit/conveyor from pg

BEGIN;
\set schema audit
\ir ../../template/conveyor_revert.sql
COMMIT;
