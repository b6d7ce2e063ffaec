-- Revert esteira:outreach/frame from pg

BEGIN;
\set schema outreach
\ir ../../template/frame_revert.sql
COMMIT;
