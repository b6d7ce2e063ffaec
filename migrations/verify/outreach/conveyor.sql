-- Verify esteira:outreach/conveyor on pg

BEGIN;
\set schema outreach
\ir ../../template/conveyor_verify.sql
ROLLBACK;
