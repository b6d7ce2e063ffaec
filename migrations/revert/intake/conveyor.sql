-- Revert esteira:intake/conveyor from pg

BEGIN;
\set schema intake
\ir ../../template/conveyor_revert.sql
COMMIT;
