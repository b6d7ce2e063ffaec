-- Deploy esteira:ocr/frame to pg

BEGIN;
\set schema ocr
\ir ../../template/frame.sql
COMMIT;
