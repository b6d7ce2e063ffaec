-- Verify esteira:audit/erasure on pg

BEGIN;
\set schema audit
\ir ../../template/erasure_verify.sql
ROLLBACK;
