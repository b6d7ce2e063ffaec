-- Verify esteira:outreach/halt on pg

BEGIN;
\set schema outreach
\ir ../../template/halt_verify.sql
ROLLBACK;
