-- Verify esteira:intake/conveyor on pg

BEGIN;
\set schema intake
\ir ../../template/conveyor_verify.sql
ROLLBACK;
