-- Verify esteira:audit/halt on pg

BEGIN;
\set schema audit
\ir ../../template/halt_verify.sql
ROLLBACK;
