-- Verify esteira:audit/dead_letter on pg

BEGIN;
\set schema audit
\ir ../../template/dead_letter_verify.sql
ROLLBACK;
