-- Verify esteira:audit/handled on pg

BEGIN;
\set schema audit
\ir ../../template/handled_verify.sql
ROLLBACK;
