-- Deploy esteira:outreach/deliveries to pg
--
-- What was to be told to whom, and how that went: one row for an event and an endpoint, one for each
-- attempt. round counts how often somebody asked to have it sent again. Kept for 30 days.

BEGIN;

SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = outreach;

CREATE TABLE deliveries (
	tenant_id uuid NOT NULL,
	delivery_id uuid NOT NULL,
	endpoint_id uuid NOT NULL,
	event_id uuid NOT NULL,
	event_type text NOT NULL, -- as filters name it: document.completed
	body text NOT NULL CHECK (octet_length(body) <= 262144),
	state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
	round int NOT NULL DEFAULT 0 CHECK (round >= 0),
	attempts int NOT NULL DEFAULT 0 CHECK (attempts >= 0), -- of all rounds
	last_status int,
	last_error text,
	created_at timestamptz NOT NULL DEFAULT now(),
	updated_at timestamptz NOT NULL DEFAULT now(),
	delivered_at timestamptz,
	PRIMARY KEY (tenant_id, delivery_id)
);
CREATE INDEX deliveries_list_idx ON deliveries (tenant_id, endpoint_id, created_at DESC, delivery_id DESC);
CREATE INDEX deliveries_age_idx ON deliveries (created_at);
-- How an endpoint does: what waits or failed is little, and delivered_at is asked by the day.
CREATE INDEX deliveries_other_idx ON deliveries (tenant_id, endpoint_id, state, created_at DESC, delivery_id DESC)
	WHERE state <> 'delivered';
CREATE INDEX deliveries_delivered_idx ON deliveries (tenant_id, endpoint_id, delivered_at)
	WHERE delivered_at IS NOT NULL;

CREATE TABLE attempts (
	tenant_id uuid NOT NULL,
	delivery_id uuid NOT NULL,
	number int NOT NULL CHECK (number >= 1),
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	status int,      -- of the answer; none: there was none
	error_code text, -- why there was none, or it did not count
	took_ms int NOT NULL,
	PRIMARY KEY (tenant_id, delivery_id, number),
	FOREIGN KEY (tenant_id, delivery_id) REFERENCES deliveries ON DELETE CASCADE
);
CREATE INDEX attempts_failed_idx ON attempts (tenant_id, at) WHERE status IS NULL OR status NOT BETWEEN 200 AND 299;

-- What the tenant sees of it; the body stays here.
CREATE VIEW v1_deliveries WITH (security_invoker = true) AS
	SELECT tenant_id, delivery_id, endpoint_id, event_id, event_type, state, round, attempts, last_status,
		last_error, created_at, updated_at, delivered_at
	FROM deliveries;
CREATE VIEW v1_attempts WITH (security_invoker = true) AS
	SELECT tenant_id, delivery_id, number, at, status, error_code, took_ms FROM attempts;

\set schema outreach
\set role esteira_outreach
\set table deliveries
\ir ../../template/tenant.sql
\set table attempts
\ir ../../template/tenant.sql
\set role esteira_intake
\set table deliveries
\ir ../../template/tenant.sql
\set table attempts
\ir ../../template/tenant.sql

GRANT SELECT, INSERT, UPDATE ON deliveries TO esteira_outreach;
GRANT SELECT, INSERT ON attempts TO esteira_outreach;

-- The timer that ends their time.
GRANT SELECT (tenant_id, delivery_id, endpoint_id, event_id, round, created_at), DELETE ON deliveries
	TO esteira_frame_outreach;
CREATE POLICY esteira_frame_outreach ON deliveries TO esteira_frame_outreach USING (true);

GRANT SELECT ON v1_deliveries, v1_attempts TO esteira_intake;
GRANT SELECT (tenant_id, delivery_id, endpoint_id, event_id, event_type, state, round, attempts, last_status,
	last_error, created_at, updated_at, delivered_at) ON deliveries TO esteira_intake;
GRANT SELECT ON attempts TO esteira_intake;

COMMIT;
