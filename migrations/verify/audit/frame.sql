-- Verify esteira:audit/frame on pg

BEGIN;
\set schema audit
\ir ../../template/frame_verify.sql
ROLLBACK;
