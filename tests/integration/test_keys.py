"""The life of API keys: made, listed, rotated, ended, by REST and by estctl; what each may do."""
import json
import time

import pytest

import belt
import routes

ENDS_S = 10  # as docs/api.md promises
ALL = ["extract", "status", "events", "webhooks", "audit", "operate", "admin"]


@pytest.fixture(scope="module", name="admin")
def make_admin(plant):
    """A client with a key for everything, of a tenant of this module."""
    plant.tenant("chaves")
    return belt.Client(plant.client().url, plant.stack.key("chaves", ",".join(ALL)))


@pytest.fixture(scope="module", name="other")
def find_other(plant):
    """The address of another replica."""
    return plant.services["intake-2"].url


def post(client, path, body=None, want=201):
    return client.call("POST", path, want, json.dumps(body or {}).encode(), {"Content-Type": "application/json"})


def create(client, *scopes, want=201, **more):
    answer = post(client, "/v1/keys", {"scopes": list(scopes), **more}, want)
    return answer.json() if want == 201 else answer


def works(url, key):
    status = belt.Client(url, key).call("GET", "/v1/jobs").status
    assert status in (200, 401), status
    return status == 200


def audit_of(plant, key_id):
    """Actions on a key, in order, once they are there."""
    sql = f"SELECT action FROM audit.operations WHERE object LIKE '%uk\\_{key_id}%' ORDER BY occurred_at, action"
    return plant.stack.psql(sql).split()


def hours(count):
    """RFC 3339, so many hours from now."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + count * 3600))


def test_a_key_is_made_and_shown_once(plant, admin):
    made = create(admin, "status", "extract")
    assert made["key"].startswith(f"uk_{made['id']}_") and made["scopes"] == ["extract", "status"]
    assert (made["partner"], made["state"], made["calling"]) == ("self", "active", False)
    assert made["created_by"] == admin.key[:11]
    assert works(admin.url, made["key"])
    shown = next(item for item in admin.get("/v1/keys")["items"] if item["id"] == made["id"])
    assert shown == {name: value for name, value in made.items() if name != "key"}
    assert made["key"][12:] not in admin.call("GET", "/v1/keys").body.decode()
    kept = plant.stack.psql(f"SELECT * FROM intake.api_keys WHERE key_id = '{made['id']}'")
    assert made["key"][12:] not in kept
    belt.wait_for("the entry", lambda: audit_of(plant, made["id"]) == ["key.created"])
    assert made["key"][12:] not in plant.stack.psql("SELECT * FROM audit.operations")


def test_no_scope_is_handed_out_that_the_maker_lacks(plant, admin):
    small = create(admin, "admin", "status")
    client = belt.Client(admin.url, small["key"])
    assert create(client, "status", "admin")["scopes"] == ["status", "admin"]
    create(client, "status", "extract", want=403).problem("forbidden")
    big = create(admin, *ALL)
    post(client, f"/v1/keys/{big['id']}/rotate", want=403).problem("forbidden")
    assert audit_of(plant, big["id"]) in ([], ["key.created"])
    client.call("DELETE", f"/v1/keys/{big['id']}", 200)  # ending is no handing out


@pytest.mark.parametrize("body", [
    {}, {"scopes": []}, {"scopes": ["all"]}, {"scopes": ["status", "status"]}, {"scopes": "status"},
    {"scopes": ["status"], "expires_at": "2020-01-01T00:00:00Z"}, {"scopes": ["status"], "more": 1},
    {"scopes": [None]}, {"scopes": ["status"] * 8}], ids=str)
def test_a_wish_that_is_none(admin, body):
    post(admin, "/v1/keys", body, 400).problem("bad-parameter")


@pytest.mark.parametrize("body", [b"", b"x", b"[]", b'{"scopes":["status"],"expires_at":1}'], ids=repr)
def test_a_body_that_is_none(admin, body):
    admin.call("POST", "/v1/keys", 400, body, {"Content-Type": "application/json"}).problem("bad-request")


@pytest.mark.parametrize("scope,said", [('1' * 30, "64 bits"), ('"a\\u0000"', "U+0000")])
def test_a_body_says_why_it_is_none(admin, scope, said):
    answer = admin.call("POST", "/v1/keys", 400, f'{{"scopes":[{scope}]}}'.encode(), {"Content-Type": "application/json"})
    assert said in answer.problem("bad-request")["detail"]


def test_other_bodies(admin):
    admin.call("POST", "/v1/keys", 415, b"{}", {"Content-Type": "text/plain"}).problem("unsupported-media-type")
    admin.call("POST", "/v1/keys", 413, b" " * 5000, {"Content-Type": "application/json"}).problem("body-too-large")
    made = create(admin, "status")
    for wrong in (-1, 2592001):
        post(admin, f"/v1/keys/{made['id']}/rotate", {"overlap_seconds": wrong}, 400).problem("bad-parameter")
    admin.call("POST", f"/v1/keys/{made['id']}/rotate", 415, b"{}", {"Content-Type": "text/plain"})
    admin.call("POST", f"/v1/keys/{made['id']}/rotate", 413, b" " * 5000, {"Content-Type": "application/json"})


def test_a_key_that_is_not_there(plant, admin):
    theirs = plant.stack.key("beta")[3:11]
    for wrong in ("00000000", "0000000", "UK_00000", "x", "0000000g", theirs):
        admin.call("DELETE", f"/v1/keys/{wrong}", 404).problem("not-found")
        post(admin, f"/v1/keys/{wrong}/rotate", want=404).problem("not-found")


def test_rotation_leaves_two_and_never_three(plant, admin, other):
    """Whichever of them is rotated next."""
    first = create(admin, "status", expires_at=hours(48))
    second = post(admin, f"/v1/keys/{first['id']}/rotate").json()
    assert (second["rotated_from"], second["expires_at"]) == (first["id"], first["expires_at"])
    assert second["scopes"] == ["status"]
    assert works(admin.url, first["key"]) and works(other, second["key"])
    lost = second  # its answer did not arrive: the first is rotated again
    second = post(admin, f"/v1/keys/{first['id']}/rotate").json()
    belt.wait_for("the end of the lost one", lambda: not works(other, lost["key"]), ENDS_S)
    third = post(admin, f"/v1/keys/{second['id']}/rotate").json()
    belt.wait_for("the end of the first", lambda: not works(other, first["key"]), ENDS_S)
    assert works(admin.url, second["key"]) and works(admin.url, third["key"])
    post(admin, f"/v1/keys/{first['id']}/rotate", want=409).problem("key-ended")
    belt.wait_for("the entries", lambda: audit_of(plant, second["id"]) == ["key.rotated", "key.rotated"])


def test_the_old_key_ends_after_its_overlap(admin, other):
    old = create(admin, "status")
    fresh = post(admin, f"/v1/keys/{old['id']}/rotate", {"overlap_seconds": 3}).json()
    assert works(other, old["key"]) and works(other, fresh["key"])
    for url in (admin.url, other):
        belt.wait_for("the end of the overlap", lambda u=url: not works(u, old["key"]), 3 + ENDS_S)
    assert works(other, fresh["key"])
    shown = {item["id"]: item["state"] for item in admin.get("/v1/keys?limit=200")["items"]}
    assert (shown[old["id"]], shown[fresh["id"]]) == ("expired", "active")


def test_a_key_that_expires(plant, admin, other):
    made = create(admin, "status", expires_at=hours(1))
    assert works(other, made["key"])
    plant.stack.psql(f"UPDATE intake.api_keys SET expires_at = now() WHERE key_id = '{made['id']}'")
    belt.wait_for("its end", lambda: not works(other, made["key"]), ENDS_S)


def test_a_revoked_key_ends_on_every_replica(plant, admin, other):
    made = create(admin, "status")
    assert works(admin.url, made["key"]) and works(other, made["key"])
    ended = admin.call("DELETE", f"/v1/keys/{made['id']}", 200).json()
    assert (ended["state"], ended["calling"]) == ("revoked", False) and "revoked_at" in ended
    assert not works(admin.url, made["key"]), "where it was revoked it ends at once"
    belt.wait_for("its end elsewhere", lambda: not works(other, made["key"]), ENDS_S)
    assert admin.call("DELETE", f"/v1/keys/{made['id']}", 200).json() == ended
    belt.wait_for("the entries", lambda: audit_of(plant, made["id"]) == ["key.created", "key.revoked"])


def test_a_key_may_end_itself_and_makes_no_other_then(admin, other):
    made = create(admin, "admin", "status")
    client, there = belt.Client(admin.url, made["key"]), belt.Client(other, made["key"])
    assert there.get("/v1/keys")["items"]
    assert client.call("DELETE", f"/v1/keys/{made['id']}", 200).json()["calling"] is True
    create(there, "status", want=401).problem("unauthenticated")  # cached there, and still no


def test_pages(plant, admin):
    plant.tenant("muitas")
    client = belt.Client(admin.url, plant.stack.key("muitas", "admin,status"))
    made = [create(client, "status")["id"] for _ in range(7)]
    seen, path = [], "/v1/keys?limit=3"
    while path:
        page = client.call("GET", path, 200)
        seen += [item["id"] for item in page.json()["items"]]
        link = page.header("Link")
        path = link.split(";")[0].strip("<>") if link else None
    assert seen[:7] == made[::-1] and len(seen) == len(set(seen)) == 9
    theirs = client.get("/v1/keys?limit=3")["next_cursor"]
    admin.call("GET", f"/v1/keys?cursor={theirs}", 400).problem("bad-parameter")


def test_there_are_so_many_and_no_more(plant, admin):
    plant.tenant("cheia")
    client = belt.Client(admin.url, plant.stack.key("cheia", "admin,status"))
    spare = create(client, "status")
    plant.stack.psql("INSERT INTO intake.api_keys (tenant_id, key_id, key_hash, scopes) SELECT tenant_id, "
                     "lpad(to_hex(n), 8, '0'), sha256(('cheia' || n)::bytea), '{status}' FROM intake.tenants, "
                     "generate_series(1, 197) n WHERE slug = 'cheia'")
    create(client, "status", want=409).problem("too-many")
    post(client, f"/v1/keys/{spare['id']}/rotate", want=409).problem("too-many")
    client.call("DELETE", f"/v1/keys/{spare['id']}", 200)
    create(client, "status")


def test_a_partner_has_its_own(plant, admin):
    stack = plant.stack
    stack.estctl("partner", "add", "contador", "--name", "Contador")
    stack.estctl("partner", "grant", "contador", "--tenant", "chaves")
    key = stack.estctl("key", "create", "--tenant", "chaves", "--partner", "contador", "--scopes",
                       "admin,status").strip()
    client = belt.Client(admin.url, key)
    made = create(client, "status")
    assert made["partner"] == "contador"
    assert {item["partner"] for item in client.get("/v1/keys?limit=200")["items"]} == {"contador"}
    client.call("DELETE", f"/v1/keys/{admin.key[3:11]}", 404)
    post(client, f"/v1/keys/{admin.key[3:11]}/rotate", want=404)
    post(admin, f"/v1/keys/{made['id']}/rotate", want=403).problem("forbidden")
    assert post(client, f"/v1/keys/{made['id']}/rotate").json()["partner"] == "contador"
    stack.estctl("partner", "revoke", "contador")
    left = stack.psql("SELECT count(*) FROM intake.api_keys WHERE partner = 'contador' AND revoked_at IS NULL")
    assert left.strip() == "0"


def test_estctl(plant, other):
    stack = plant.stack
    stack.tenant("linha", "Linha")
    made = json.loads(stack.estctl("key", "create", "--tenant", "linha", "--scopes", "status", "--expires", hours(2),
                                   "--json", "--who", "ana@casa"))
    assert works(other, made["key"]) and made["key_id"] == made["key"][3:11] and "expires_at" in made
    fresh = stack.estctl("key", "rotate", made["key_id"], "--tenant", "linha", "--overlap", "0").strip()
    belt.wait_for("the end of the old one", lambda: not works(other, made["key"]), ENDS_S)
    assert works(other, fresh)
    stack.estctl("key", "revoke", fresh[3:11], "--tenant", "linha")
    belt.wait_for("the end of the new one", lambda: not works(other, fresh), ENDS_S)
    rows = json.loads(stack.estctl("key", "list", "--tenant", "linha", "--json"))
    assert [(row["key_id"], row["state"]) for row in rows] == [(fresh[3:11], "revoked"), (made["key_id"], "expired")]
    assert rows[0]["rotated_from"] == made["key_id"] and rows[1]["created_by"] == "ana@casa"
    assert made["key_id"] in stack.estctl("key", "list", "--tenant", "linha")
    for wrong in (("rotate", made["key_id"]), ("revoke", "00000000"), ("rotate", "x"),
                  ("rotate", made["key_id"], "--overlap", "9999999")):
        with pytest.raises(Exception, match="exit [12]"):
            stack.estctl("key", *wrong, "--tenant", "linha")
    belt.wait_for("the entries", lambda: audit_of(plant, fresh[3:11]) == ["key.rotated", "key.revoked"])


@pytest.mark.parametrize("scope", ALL)
def test_a_scope_opens_its_routes_and_no_others(plant, scope):
    """Made from the route table: a new route is in it."""
    client = belt.Client(plant.client().url, plant.stack.key("chaves", scope))
    for route in routes.gated():
        status = route.ask(client).status
        assert (status == 403) == (route.scope != scope), (route, status)
        assert status not in (401, 429, 500), (route, status)


def test_no_route_is_open_by_mistake(plant):
    client = belt.Client(plant.client().url)
    for route in routes.table():
        assert (route.ask(client).status == 401) == (route.scope is not None), route


def test_postgres_away(plant, admin):
    """Last: what is cached of a key opens nothing that Postgres has to say."""
    spare = create(admin, "status")["id"]
    plant.stack.stop_one("postgres")
    try:
        admin.call("GET", "/v1/keys", 503).problem("postgres-away")
        create(admin, "status", want=503).problem("postgres-away")
        post(admin, f"/v1/keys/{spare}/rotate", want=503).problem("postgres-away")
        admin.call("DELETE", f"/v1/keys/{spare}", 503).problem("postgres-away")
    finally:
        plant.stack.start_one("postgres")
    belt.wait_for("an answer", lambda: admin.call("GET", "/v1/keys").status == 200, 20)
    assert {item["id"]: item["state"] for item in admin.get("/v1/keys?limit=200")["items"]}[spare] == "active"
