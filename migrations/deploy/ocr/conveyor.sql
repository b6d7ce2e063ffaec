-- Deploy esteira:ocr/conveyor to pg

BEGIN;
\set schema ocr
\ir ../../template/conveyor.sql
COMMIT;
