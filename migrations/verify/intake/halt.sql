-- Verify esteira:intake/halt on pg

BEGIN;
\set schema intake
\ir ../../template/halt_verify.sql
ROLLBACK;
