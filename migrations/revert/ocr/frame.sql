-- Revert esteira:ocr/frame from pg

BEGIN;
\set schema ocr
\ir ../../template/frame_revert.sql
COMMIT;
