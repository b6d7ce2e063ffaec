-- Verify esteira:outreach/frame on pg

BEGIN;
\set schema outreach
\ir ../../template/frame_verify.sql
ROLLBACK;
