-- Deploy esteira:intake/tenant_keys to pg
--
-- A tenant's key has versions: the newest that is not destroyed seals, the older ones open until
-- nothing needs them. wrapped is NULL once a version is destroyed. jobs.key_version names the one
-- that a document was sealed under (NULL: made before this column).

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

ALTER TABLE tenant_keys ALTER COLUMN wrapped DROP NOT NULL;
ALTER TABLE jobs ADD COLUMN key_version int CHECK (key_version >= 1);

-- Destroys every key of a tenant that is being erased, and of no other: even its owner sees no
-- other's. Answers how many there were.
CREATE POLICY esteira_owner ON tenants FOR SELECT TO esteira_owner USING (state IN ('erasing', 'erased'));
CREATE POLICY esteira_owner ON tenant_keys TO esteira_owner
	USING (EXISTS (SELECT FROM tenants t WHERE t.tenant_id = tenant_keys.tenant_id));
CREATE FUNCTION destroy_tenant_keys(tenant uuid) RETURNS bigint
LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	WITH gone AS (
		UPDATE intake.tenant_keys SET wrapped = NULL, destroyed_at = now()
		WHERE tenant_id = tenant AND destroyed_at IS NULL RETURNING 1
	)
	SELECT count(*) FROM gone
$$;
REVOKE ALL ON FUNCTION destroy_tenant_keys(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION destroy_tenant_keys(uuid) TO esteira_intake, esteira_frame_intake;

-- What authenticates the cursors of lists: the same for every replica. Not worth a wrapping: who
-- can read it can read the rows that a cursor points at.
CREATE TABLE cursor_key (
	only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
	key bytea NOT NULL CHECK (octet_length(key) = 32)
);
INSERT INTO cursor_key (key)
	VALUES (sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')));
ALTER TABLE cursor_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE cursor_key FORCE ROW LEVEL SECURITY;
GRANT SELECT ON cursor_key TO esteira_frame_intake;
CREATE POLICY esteira_frame_intake ON cursor_key FOR SELECT TO esteira_frame_intake USING (true);

COMMIT;
