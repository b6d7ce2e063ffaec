-- Verify esteira:audit/conveyor on pg

BEGIN;
\set schema audit
\ir ../../template/conveyor_verify.sql
ROLLBACK;
