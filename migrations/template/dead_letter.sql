-- Decisions about dead letters in schema :schema, and what their tenant may know of them: the same
-- for every service. Whoever decides says who he is; a letter is decided once, however often asked.

\set service esteira_ :schema
\set frame esteira_frame_ :schema
SET LOCAL ROLE esteira_owner;
SET LOCAL search_path = :"schema";

-- does a brake of this tenant keep records back? Asked before a redrive without a person.
CREATE INDEX parked_breaker_idx ON parked (tenant_id, grp) WHERE reason = 'breaker';

-- The functions below belong to esteira_owner, who is nobody that can log in.
CREATE POLICY esteira_owner ON parked TO esteira_owner USING (true) WITH CHECK (true);
CREATE POLICY esteira_owner ON dead_letter FOR SELECT TO esteira_owner USING (true);
CREATE POLICY esteira_owner_update ON dead_letter FOR UPDATE TO esteira_owner
	USING (true) WITH CHECK (true);

-- The letters ids that there are, of one tenant (NULL: of any), locked in one order. Their state is
-- only then looked at, by the next statement: of two who decide at once the second sees the first.
CREATE FUNCTION dead_letter_lock(ids uuid[], tenant uuid, who text) RETURNS void
LANGUAGE plpgsql
SET search_path = :"schema", pg_catalog, pg_temp
AS $$
BEGIN
	IF coalesce(octet_length(who), 0) NOT BETWEEN 1 AND 255 THEN
		RAISE invalid_parameter_value USING MESSAGE = 'who decides has to be said in 255 bytes';
	END IF;
	PERFORM FROM dead_letter d
		WHERE d.id = ANY (ids) AND (tenant IS NULL OR d.tenant_id = tenant)
		ORDER BY d.id FOR UPDATE;
END
$$;

-- Sends open letters back into the lane they came from: due now, in the place they had, with their
-- tombstone turned into the record if there is one. One row a letter that was found: 'done'; or left
-- as it is: 'not_open'; 'refused' when it names no event or no tenant, so that no lane is its own.
CREATE FUNCTION dead_letter_redrive(ids uuid[], tenant uuid, who text)
RETURNS TABLE (letter uuid, owner uuid, outcome text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = :"schema", pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM dead_letter_lock(ids, tenant, who);
	RETURN QUERY
	WITH found AS (
		SELECT d.*, CASE WHEN d.event_id IS NULL OR d.tenant_id IS NULL THEN 'refused'
			WHEN d.state = 'open' THEN 'done' ELSE 'not_open' END AS verdict
		FROM dead_letter d WHERE d.id = ANY (ids) AND (tenant IS NULL OR d.tenant_id = tenant)
	), back AS (
		INSERT INTO parked AS p (grp, topic, part, off, epoch, event_id, tenant_id, ordering_key,
			due_at, attempts, reason, headers, key, payload, first_failed_at, dead_letter_id)
		SELECT f.grp, f.topic, f.part, f.off, f.epoch, f.event_id, f.tenant_id,
			coalesce(f.ordering_key, f.tenant_id::text), now(), 0, 'redrive', f.headers, f.key,
			f.payload, f.first_failed_at, f.id
		FROM found f WHERE f.verdict = 'done' ORDER BY f.off
		ON CONFLICT (grp, topic, part, tenant_id, ordering_key, off, epoch) DO UPDATE SET due_at = excluded.due_at,
			attempts = 0, reason = 'redrive', headers = excluded.headers, key = excluded.key,
			payload = excluded.payload, error_code = NULL, error_message = NULL,
			first_failed_at = excluded.first_failed_at, dead_letter_id = excluded.dead_letter_id
	), decided AS (
		UPDATE dead_letter d SET state = 'redriving', decided_by = who, updated_at = now()
		FROM found f WHERE d.id = f.id AND f.verdict = 'done'
	)
	SELECT f.id, f.tenant_id, f.verdict FROM found f;
END
$$;

-- Gives open letters up: what the record held is erased, and its key waits for it no longer. One row
-- a letter that was found: 'done' or 'not_open'.
CREATE FUNCTION dead_letter_discard(ids uuid[], tenant uuid, who text)
RETURNS TABLE (letter uuid, owner uuid, outcome text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = :"schema", pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM dead_letter_lock(ids, tenant, who);
	RETURN QUERY
	WITH found AS (
		SELECT d.*, CASE d.state WHEN 'open' THEN 'done' ELSE 'not_open' END AS verdict
		FROM dead_letter d WHERE d.id = ANY (ids) AND (tenant IS NULL OR d.tenant_id = tenant)
	), stones AS (
		DELETE FROM parked p USING found f WHERE f.verdict = 'done' AND p.reason = 'hold'
			AND p.off = f.off AND p.part = f.part AND p.epoch = f.epoch AND p.topic = f.topic
			AND p.grp = f.grp
	), decided AS (
		UPDATE dead_letter d SET state = 'discarded', decided_by = who, updated_at = now(),
			headers = NULL, key = NULL, payload = NULL
		FROM found f WHERE d.id = f.id AND f.verdict = 'done'
	)
	SELECT f.id, f.tenant_id, f.verdict FROM found f;
END
$$;

-- The same for the tenant himself, whom intake has named in app.current_tenant: he cannot be another
-- one, and nobody at all is not everybody.
CREATE FUNCTION tenant_redrive(ids uuid[], who text)
RETURNS TABLE (letter uuid, owner uuid, outcome text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = :"schema", pg_catalog, pg_temp
AS $$
DECLARE
	mine uuid := NULLIF(current_setting('app.current_tenant', true), '')::uuid;
BEGIN
	IF mine IS NULL THEN
		RAISE insufficient_privilege USING MESSAGE = 'no tenant is named';
	END IF;
	RETURN QUERY SELECT * FROM dead_letter_redrive(ids, mine, who);
END
$$;

CREATE FUNCTION tenant_discard(ids uuid[], who text)
RETURNS TABLE (letter uuid, owner uuid, outcome text)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = :"schema", pg_catalog, pg_temp
AS $$
DECLARE
	mine uuid := NULLIF(current_setting('app.current_tenant', true), '')::uuid;
BEGIN
	IF mine IS NULL THEN
		RAISE insufficient_privilege USING MESSAGE = 'no tenant is named';
	END IF;
	RETURN QUERY SELECT * FROM dead_letter_discard(ids, mine, who);
END
$$;

REVOKE ALL ON FUNCTION dead_letter_lock(uuid[], uuid, text), dead_letter_redrive(uuid[], uuid, text),
	dead_letter_discard(uuid[], uuid, text), tenant_redrive(uuid[], text),
	tenant_discard(uuid[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION dead_letter_redrive(uuid[], uuid, text),
	dead_letter_discard(uuid[], uuid, text) TO :"frame", esteira_operator, esteira_migrator;
GRANT EXECUTE ON FUNCTION tenant_redrive(uuid[], text), tenant_discard(uuid[], text)
	TO esteira_intake;

-- What a tenant may know, as a frozen contract: never key, headers and payload. The tenant is asked
-- for here too, because a service sees all tenants' rows of its own frame tables. An ordering key
-- that is the tenant's own id stays inside.
CREATE VIEW v1_dead_letters WITH (security_invoker = true) AS
	SELECT tenant_id, id, topic, event_id, NULLIF(ordering_key, tenant_id::text) AS ordering_key,
		error_class, error_code, error_message, attempts, redrives, blocks, state,
		first_failed_at, created_at, updated_at
	FROM dead_letter
	WHERE tenant_id = (SELECT NULLIF(current_setting('app.current_tenant', true), '')::uuid);
GRANT SELECT ON v1_dead_letters TO esteira_intake;

RESET ROLE;
RESET search_path;
