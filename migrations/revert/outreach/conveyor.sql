-- Revert esteira:outreach/conveyor from pg

BEGIN;
\set schema outreach
\ir ../../template/conveyor_revert.sql
COMMIT;
