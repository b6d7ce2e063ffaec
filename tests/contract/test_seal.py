"""The envelope format in both directions: what the C code made (vectors/seal, checked byte by byte by its
unit test) is opened by the reader, and a writer in Python makes the very same bytes."""
import hashlib
import pathlib

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

import seal_reader
from seal_reader import CHUNK, TAG, Refused, derive, read

VECTORS = sorted((pathlib.Path(__file__).parent / "vectors/seal").glob("*.hex"))


def load(path):
    fields = dict(line.split("=", 1) for line in path.read_text().splitlines())
    for name in ("key_version", "plain_bytes", "capacity_bytes"):
        if name in fields:
            fields[name] = int(fields[name])
    for name in ("tenant_key", "half_b", "result_salt", "sealed"):
        if name in fields:
            fields[name] = bytes.fromhex(fields[name])
    return fields


def plain_of(fields):
    return bytes((i * 7 + 3) & 0xFF for i in range(fields["plain_bytes"]))


def sealed_body(plain, key, prefix, header):
    pieces = [plain[at:at + CHUNK] for at in range(0, len(plain), CHUNK)] or [b""]
    for index, piece in enumerate(pieces):
        nonce = prefix + index.to_bytes(4, "big") + bytes([index + 1 == len(pieces)])
        yield AESGCM(key).encrypt(nonce, piece, header)


def write(fields):
    """The envelope of the vector: its randomness counts up from 0 in the order of docs/format.md."""
    count = iter(range(256))
    draw = lambda size: bytes(next(count) for _ in range(size))
    purpose, version = fields["purpose"], fields["key_version"]
    names = f"{fields['tenant']}|{fields['job']}"
    plain = plain_of(fields)
    if purpose == "doc":
        half_a, half_b = draw(32), draw(32)
        assert half_b == fields["half_b"]
        secrets = derive(half_a + half_b, f"esteira/1|doc|{names}", 64)
        padding = bytes(fields["capacity_bytes"] - len(plain))
        plain += padding + fields["plain_bytes"].to_bytes(8, "big")
    else:
        salt = draw(32)
        secrets = derive(fields["tenant_key"], f"esteira/1|result|{names}", 64, salt)
    prefix = draw(7)
    header = b"ESTS\x01" + bytes([seal_reader.PURPOSES[purpose], 0, 0])
    header += version.to_bytes(4, "big") + prefix + b"\0" + secrets[32:]
    if purpose == "doc":
        context = f"esteira/1|half|{names}|{version}"
        nonce = draw(12)
        wrap_key = derive(fields["tenant_key"], context, 32)
        header += nonce + AESGCM(wrap_key).encrypt(nonce, half_a, context.encode())
    else:
        header += salt
    return header + b"".join(sealed_body(plain, secrets[:32], prefix, header))


def open_with(fields, envelope, **other):
    use = {**fields, **other}
    return read(envelope, use["purpose"], use["tenant"], use["job"], use["key_version"],
                use["tenant_key"], use.get("half_b"))


def test_there_are_vectors():
    assert len(VECTORS) >= 11


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_python_makes_the_same_bytes(path):
    fields = load(path)
    envelope = write(fields)
    assert hashlib.sha256(envelope).hexdigest() == fields["sealed_sha256"]
    assert envelope == fields.get("sealed", envelope)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_python_makes_the_same_salt(path):
    """Of the document's result: every reading of it has this one, so there is one result."""
    fields = load(path)
    if fields["purpose"] == "doc":
        info = f"esteira/1|salt|{fields['tenant']}|{fields['job']}"
        assert fields["result_salt"] == derive(fields["tenant_key"], info, 16, fields["half_b"])


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_python_opens(path):
    fields = load(path)
    assert open_with(fields, fields.get("sealed") or write(fields)) == plain_of(fields)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_python_refuses_what_does_not_fit(path):
    fields = load(path)
    envelope = write(fields)
    wrong = [
        {"tenant": fields["job"]},
        {"job": fields["tenant"]},
        {"key_version": 8},
        {"tenant_key": bytes(32)},
        {"purpose": "result" if fields["purpose"] == "doc" else "doc", "half_b": bytes(32)},
    ]
    if fields["purpose"] == "doc":
        wrong.append({"half_b": bytes(32)})
    for other in wrong:
        with pytest.raises(Refused):
            open_with(fields, envelope, **other)
    size = len(envelope)
    spots = list(range(0, 130)) + [CHUNK, CHUNK + TAG + 100, size - 1, size - TAG, size - TAG - 1]
    for spot in (spot for spot in spots if spot < size):
        altered = bytearray(envelope)
        altered[spot] ^= 0x10
        with pytest.raises(Refused):
            open_with(fields, bytes(altered))
    for cut in (1, TAG, TAG + 1, size - 20):
        with pytest.raises(Refused):
            open_with(fields, envelope[:-cut])
    with pytest.raises(Refused):
        open_with(fields, envelope + bytes(TAG))
