-- Revert esteira:ocr/conveyor from pg

BEGIN;
\set schema ocr
\ir ../../template/conveyor_revert.sql
COMMIT;
