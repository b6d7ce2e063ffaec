"""A key service for tests: what OpenBao's transit engine documents of encrypt, decrypt and sys/health, over TLS,
and every way in which it may fail. Keys are derived for each context, as with derived=true."""
import base64
import json
import os
import time

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from stub import Stub

SLOW_S = 6  # longer than the caller's patience

# What each mood answers instead: status, body.
MOODS = {
    "sealed": (503, {"errors": ["Vault is sealed"]}),
    "forbidden": (403, {"errors": ["permission denied"]}),
    "busy": (429, {"errors": ["request path \"transit/decrypt/esteira\": rate limit quota exceeded"]}),
    "broken": (500, {"errors": ["internal error"]}),
    "elsewhere": (307, {}),
    "no-key": (400, {"errors": ["encryption key not found"]}),
    "no-mount": (404, {"errors": ["no handler for route \"transit/decrypt/esteira\""]}),
}
# Bodies that are no answer, with status 200.
NONSENSE = {
    "empty": b"", "no-json": b"<html>", "no-data": b'{"data":null}', "cut": b'{"data":{"plaintext":"AAAA',
    "short": b'{"data":{"plaintext":"AAAA","ciphertext":"v"}}',
    "no-base64": b'{"data":{"plaintext":"' + b"!" * 44 + b'","ciphertext":"vault:vX:zzzz"}}',
    "number": b'{"data":{"plaintext":7,"ciphertext":8}}',
    "huge": b'{"data":{"plaintext":"' + b"A" * 100000 + b'"}}',
}


class KeyService(Stub):
    """Runs from the start; mood is "well", or a key of MOODS or NONSENSE, or "slow"."""

    def __init__(self, pair, derived=True):
        self.mood, self.token, self.derived = "well", "token-1", derived
        self.keys, self.calls = [os.urandom(32)], []
        super().__init__(pair)

    def take(self, handler):
        """The health of it, or what it is for."""
        (self.health if handler.command == "GET" else self.transit)(handler)

    def rotate(self):
        """A new version of its key; the older ones open."""
        with self.lock:
            self.keys.append(os.urandom(32))

    def count(self, what):
        """How often it was asked that: "encrypt" or "decrypt"."""
        with self.lock:
            return sum(call == what for call in self.calls)

    def health(self, handler):
        """Needs no token."""
        status = {"sealed": 503, "broken": 500}.get(self.mood, 200)
        self.answer(handler, status, {"initialized": True, "sealed": self.mood == "sealed"})

    def transit(self, handler):
        """encrypt and decrypt."""
        asked = json.loads(self.body(handler))
        what = handler.path.split("/")[3]
        with self.lock:
            self.calls.append(what)
        assert handler.path == f"/v1/transit/{what}/esteira", handler.path
        if self.mood == "slow":
            time.sleep(SLOW_S)
        if self.mood in MOODS:
            self.answer(handler, *MOODS[self.mood])
        elif self.mood in NONSENSE:
            self.answer(handler, 200, NONSENSE[self.mood])
        elif handler.headers["X-Vault-Token"] != self.token:
            self.answer(handler, *MOODS["forbidden"])
        else:
            self.answer(handler, *getattr(self, what)(asked))

    def cipher(self, version, context):
        """The AEAD of a version for a context."""
        return AESGCM(HKDF(hashes.SHA256(), 32, None, context).derive(self.keys[version - 1]))

    def context_of(self, asked):
        """The context, or None when it is missing."""
        if not self.derived:
            return b""
        return base64.b64decode(asked["context"]) if asked.get("context") else None

    def encrypt(self, asked):
        """Under the newest version."""
        context = self.context_of(asked)
        if context is None:
            return 400, {"errors": ["missing 'context' for key derivation; the key was created using a derived key"]}
        version, nonce = len(self.keys), os.urandom(12)
        data = nonce + self.cipher(version, context).encrypt(nonce, base64.b64decode(asked["plaintext"]), None)
        text = f"vault:v{version}:{base64.b64encode(data).decode()}"
        return 200, {"request_id": "1", "data": {"ciphertext": text, "key_version": version}, "warnings": None}

    def decrypt(self, asked):
        """Under the version that the text names."""
        context, (_, version, text) = self.context_of(asked), asked["ciphertext"].split(":")
        data = base64.b64decode(text)
        try:
            plain = self.cipher(int(version[1:]), context or b"").decrypt(data[:12], data[12:], None)
        except (InvalidTag, IndexError):
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"request_id": "1", "data": {"plaintext": base64.b64encode(plain).decode()}, "warnings": None}
