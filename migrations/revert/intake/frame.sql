-- Revert esteira:intake/frame from pg

BEGIN;
\set schema intake
\ir ../../template/frame_revert.sql
COMMIT;
