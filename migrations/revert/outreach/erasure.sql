-- Revert esteira:outreach/erasure from pg

BEGIN;
DROP POLICY esteira_outreach_erasing ON outreach.deliveries;
REVOKE DELETE ON outreach.deliveries FROM esteira_outreach;
\set schema outreach
\ir ../../template/erasure_revert.sql
COMMIT;
