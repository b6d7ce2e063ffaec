"""PgBouncer before Postgres, in transaction mode: one more server of a stack that wants it.

    stack.servers = {**stack.servers, "pooler": pooler.SERVER}
    stack.start_one("pooler")
    stack.start_service("intake", 1, {"ESTEIRA_PG_REQUEST_URL": pooler.url(stack)})
"""
import signal
import subprocess

from servers import DATABASE, Server, nothing

ROLE = "esteira_intake"
POOL = 2


def url(stack):
    """Where intake's request pool finds it."""
    return stack.psql_url(ROLE).replace(f":{stack.ports['postgres']}/", f":{stack.ports['pooler']}/")


def tls(stack):
    """On a secure stack both sides of it are verified, as Postgres alone would be."""
    if not stack.is_secured("postgres"):
        return ""
    pair, ca_file = stack.server_pair("pooler"), stack.authority.ca_file
    return (f"client_tls_sslmode = require\nclient_tls_cert_file = {pair.cert}\nclient_tls_key_file = {pair.key}\n"
            f"server_tls_sslmode = verify-full\nserver_tls_ca_file = {ca_file}\n")


def prepare(stack):
    """No startup parameter is ignored: what is lost silently would be missed in production."""
    users = stack.write(stack.path("conf/pooler.users"), f'"{ROLE}" "{stack.secrets["roles"][ROLE]}"\n', 0o600)
    stack.write(stack.path("conf/pooler.ini"), f"""[databases]
{DATABASE} = host=127.0.0.1 port={stack.ports['postgres']} dbname={DATABASE}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {stack.ports['pooler']}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
default_pool_size = {POOL}
max_client_conn = 200
server_login_retry = 1
{tls(stack)}""", 0o600)


def argv(stack):
    """In the foreground; its log is the stack's."""
    return ["/usr/sbin/pgbouncer", stack.path("conf/pooler.ini")]


def ready(stack):
    """It lets somebody in; whether Postgres does is another matter."""
    return subprocess.run(["pg_isready", "-q", "-h", "127.0.0.1", "-p", str(stack.ports["pooler"]), "-U", ROLE,
                           "-d", DATABASE], check=False).returncode == 0


SERVER = Server(("pooler",), prepare, argv, ready, nothing, signal.SIGINT, 30)
