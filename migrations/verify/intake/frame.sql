-- Verify esteira:intake/frame on pg

BEGIN;
\set schema intake
\ir ../../template/frame_verify.sql
ROLLBACK;
