-- Deploy esteira:intake/erasure to pg
--
-- How intake erases a tenant. Rows it deletes under the tenant's policy, and only while the tenant
-- is in state erasing. What is not one tenant's row (his state, partners that are his alone)
-- goes by functions of esteira_owner, who may touch nothing else there.

BEGIN;
\set schema intake
\ir ../../template/erasure.sql

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

\set role esteira_intake
\set table api_keys
\ir ../../template/erase_rows.sql
\set table tenant_keys
\ir ../../template/erase_rows.sql
\set table jobs
\ir ../../template/erase_rows.sql
\set table idempotency
\ir ../../template/erase_rows.sql
\set table deliveries
\ir ../../template/erase_rows.sql
\set table ip_addresses
\ir ../../template/erase_rows.sql

CREATE POLICY esteira_owner_update ON tenants FOR UPDATE TO esteira_owner
	USING (state = 'erasing') WITH CHECK (state = 'erased');
CREATE POLICY esteira_owner ON partner_tenants FOR SELECT TO esteira_owner USING (true);
CREATE POLICY esteira_owner_delete ON partner_tenants FOR DELETE TO esteira_owner
	USING (EXISTS (SELECT FROM tenants t WHERE t.tenant_id = partner_tenants.tenant_id
		AND t.state = 'erasing'));
CREATE POLICY esteira_owner ON partners FOR SELECT TO esteira_owner USING (true);
CREATE POLICY esteira_owner_delete ON partners FOR DELETE TO esteira_owner USING (true);

-- The transaction's tenant, if he is being erased; else NULL.
CREATE FUNCTION erasing_tenant() RETURNS uuid
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT tenant_id FROM intake.tenants WHERE state = 'erasing'
		AND tenant_id = NULLIF(current_setting('app.current_tenant', true), '')::uuid
$$;

-- Deletes the tenant's grants, and partners that were granted to nobody else. Answers how many rows.
CREATE FUNCTION partners_erase() RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH mine AS (
		DELETE FROM intake.partner_tenants WHERE tenant_id = intake.erasing_tenant() RETURNING partner
	), gone AS (
		DELETE FROM intake.partners p USING mine WHERE p.slug = mine.partner
			AND NOT EXISTS (SELECT FROM intake.partner_tenants other WHERE other.partner = p.slug
				AND other.tenant_id <> intake.erasing_tenant())
		RETURNING 1
	)
	SELECT (SELECT count(*) FROM mine) + (SELECT count(*) FROM gone)
$$;

-- The end: what stays is a tombstone. Answers the slug; no row when it was over before.
CREATE FUNCTION tenant_erased() RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE intake.tenants SET state = 'erased', state_at = clock_timestamp(), name = slug
	WHERE tenant_id = intake.erasing_tenant() RETURNING slug
$$;

REVOKE ALL ON FUNCTION erasing_tenant(), partners_erase(), tenant_erased() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION partners_erase(), tenant_erased() TO esteira_intake;

COMMIT;
