-- Deploy esteira:intake/partners to pg
--
-- Who sends events from outside: partners, and the tenants each may act for. Written by operators
-- (estctl partner), read by intake's bridge across tenants. A row is never deleted: revoked_at says
-- since when it no longer counts. "self" is the tenant's own, in api_keys, and no partner.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = intake;

CREATE TABLE partners (
	slug text PRIMARY KEY CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}$' AND slug <> 'self'),
	name text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	revoked_at timestamptz
);

CREATE TABLE partner_tenants (
	tenant_id uuid NOT NULL REFERENCES tenants,
	partner text NOT NULL REFERENCES partners,
	granted_at timestamptz NOT NULL DEFAULT now(),
	revoked_at timestamptz,
	PRIMARY KEY (tenant_id, partner)
);

ALTER TABLE partners ENABLE ROW LEVEL SECURITY;
ALTER TABLE partners FORCE ROW LEVEL SECURITY;
ALTER TABLE partner_tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE partner_tenants FORCE ROW LEVEL SECURITY;

GRANT SELECT ON partners, partner_tenants TO esteira_frame_intake;
CREATE POLICY esteira_frame_intake ON partners FOR SELECT TO esteira_frame_intake USING (true);
CREATE POLICY esteira_frame_intake ON partner_tenants FOR SELECT TO esteira_frame_intake USING (true);

COMMIT;
