"""A throwaway certificate authority: one a stack, in its directory, gone with it.

    authority = Authority(stack.path("tls"))
    pair = authority.issue("kafka", ips=["127.0.0.1"], client=True)    # pair.cert, pair.key
    authority.issue("kafka", ips=["127.0.0.1"], client=True)           # renewed: same files, new key
    authority.issue("late", dns=["localhost"], days=-1)                # expired yesterday
    ca = authority.ca_file                                             # what the other side trusts

Keys are files of mode 0600 that belong to the user the services run as; each file is replaced at
once, never written in place. The subject's common name is NAME: to Kafka it is the principal.
"""
import datetime
import ipaddress
import os
import tempfile
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

import proc

DAYS = 30
CLOCKS = datetime.timedelta(minutes=5)  # how far two machines' clocks may be apart


class Pair(NamedTuple):
    """Paths of a certificate and its key, both PEM."""
    cert: str
    key: str


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption())


def _cert_pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)


class Authority:
    """The authority whose files are in a directory; made there if it is not."""

    def __init__(self, directory, name="Esteira throwaway CA"):
        self.dir, self.user = os.path.realpath(directory), proc.service_user()
        os.makedirs(self.dir, 0o755, exist_ok=True)
        self.ca_file = self.path("ca.crt")
        if os.path.exists(self.ca_file):
            with open(self.ca_file, "rb") as f:
                self.cert = x509.load_pem_x509_certificate(f.read())
            with open(self.path("ca.key"), "rb") as f:
                self.key = serialization.load_pem_private_key(f.read(), None)
            return
        self.key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        self.cert = self._sign(_name(name), self.key.public_key(), 3650, [
            (x509.BasicConstraints(ca=True, path_length=0), True), (usage, True)], _name(name))
        self.write("ca.key", _key_pem(self.key), 0o600)
        self.write("ca.crt", _cert_pem(self.cert), 0o644)  # last: it says that all is there

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data, mode):
        """A file of the service user; -> its path. A reader sees the old one or the new one."""
        fd, fresh = tempfile.mkstemp(dir=self.dir)
        with os.fdopen(fd, "wb") as f:
            f.write(data)
            os.fchmod(f.fileno(), mode)
        if os.geteuid() == 0:
            os.chown(fresh, self.user.pw_uid, self.user.pw_gid)
        os.rename(fresh, self.path(name))
        return self.path(name)

    def _sign(self, subject, public, days, extensions, issuer=None):
        now = datetime.datetime.now(datetime.timezone.utc)
        ends = now + datetime.timedelta(days=days)
        begins = min(now, ends - datetime.timedelta(days=1)) - CLOCKS
        maker = (x509.CertificateBuilder().subject_name(subject).public_key(public)
                 .issuer_name(issuer or self.cert.subject).serial_number(x509.random_serial_number())
                 .not_valid_before(begins).not_valid_after(ends)
                 .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
                 .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                     self.key.public_key()), False))
        for extension, critical in extensions:
            maker = maker.add_extension(extension, critical)
        return maker.sign(self.key, hashes.SHA256())

    def issue(self, name, dns=(), ips=(), client=False, days=DAYS):
        """A certificate for a server (dns, ips: what it is called), a client, or both; -> Pair.

        days: until it ends; negative: it ended so long ago. Called again it renews: a new key and
        certificate under the same paths.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [*map(x509.DNSName, dns),
                 *(x509.IPAddress(ipaddress.ip_address(ip)) for ip in ips)]
        uses = [*([ExtendedKeyUsageOID.SERVER_AUTH] if names else []),
                *([ExtendedKeyUsageOID.CLIENT_AUTH] if client else [])]
        extensions = [(x509.BasicConstraints(ca=False, path_length=None), True),
                      (x509.ExtendedKeyUsage(uses), False)]
        if names:
            extensions.append((x509.SubjectAlternativeName(names), False))
        cert = self._sign(_name(name), key.public_key(), days, extensions)
        path = self.write(f"{name}.key", _key_pem(key), 0o600)
        return Pair(self.write(f"{name}.crt", _cert_pem(cert), 0o644), path)

    def pem_store(self, pair):
        """Key and certificate in one file, as Kafka's PEM key store wants them; -> path."""
        with open(pair.key, "rb") as key, open(pair.cert, "rb") as cert:
            text = key.read() + cert.read()
        return self.write(os.path.basename(pair.key).removesuffix(".key") + ".pem", text, 0o600)

    def pkcs12_store(self, pair, password):
        """The same as PKCS#12 under a password, for Java programs; -> path."""
        with open(pair.key, "rb") as f:
            key = serialization.load_pem_private_key(f.read(), None)
        with open(pair.cert, "rb") as f:
            cert = x509.load_pem_x509_certificate(f.read())
        name = os.path.basename(pair.key).removesuffix(".key")
        data = pkcs12.serialize_key_and_certificates(
            name.encode(), key, cert, [self.cert],
            serialization.BestAvailableEncryption(password.encode()))
        return self.write(f"{name}.p12", data, 0o600)
