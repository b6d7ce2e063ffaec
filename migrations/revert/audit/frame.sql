-- Revert esteira:audit/frame from pg

BEGIN;
\set schema audit
\ir ../../template/frame_revert.sql
COMMIT;
