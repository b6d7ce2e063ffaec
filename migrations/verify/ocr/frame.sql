-- Verify esteira:ocr/frame on pg

BEGIN;
\set schema ocr
\ir ../../template/frame_verify.sql
ROLLBACK;
