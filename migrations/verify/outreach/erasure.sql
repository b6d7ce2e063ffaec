-- Verify esteira:outreach/erasure on pg

BEGIN;
\set schema outreach
\ir ../../template/erasure_verify.sql
ROLLBACK;
