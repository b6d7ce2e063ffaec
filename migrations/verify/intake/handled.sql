-- Verify esteira:intake/handled on pg

BEGIN;
\set schema intake
\ir ../../template/handled_verify.sql
ROLLBACK;
