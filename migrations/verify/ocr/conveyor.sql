-- Verify esteira:ocr/conveyor on pg

BEGIN;
\set schema ocr
\ir ../../template/conveyor_verify.sql
ROLLBACK;
