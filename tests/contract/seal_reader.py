"""seal_reader.py doc|result TENANT JOB KEY_VERSION TENANT_KEY_HEX [HALF_B_HEX] < envelope > plain
An independent reader of the suite's encrypted envelopes (docs/format.md)."""
import sys
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PURPOSES = {"doc": 1, "result": 2}
PART, CHUNK, TAG = 52, 65536, 16


class Refused(ValueError): ...


def derive(material, info, size, salt=None):
    return HKDF(SHA256(), size, salt, info.encode()).derive(material)


def opened(key, nonce, data, aad):
    try:
        return AESGCM(key).decrypt(nonce, data, aad)
    except (InvalidTag, ValueError) as error:
        raise Refused("authentication failed") from error


def chunks(body, key, prefix, header):
    for index in range(count := max(1, -(-len(body) // (CHUNK + TAG)))):
        part = body[index * (CHUNK + TAG):(index + 1) * (CHUNK + TAG)]
        if len(part) < TAG or (len(part) == TAG and index > 0):
            raise Refused("truncated")
        nonce = prefix + index.to_bytes(4, "big") + bytes([index + 1 == count])
        yield opened(key, nonce, part, header)


def read(envelope, purpose, tenant, job, version, tenant_key, half_b=None):
    header = envelope[:PART + (60 if purpose == "doc" else 32)]
    fixed = b"ESTS\x01" + bytes([PURPOSES[purpose], 0, 0]) + version.to_bytes(4, "big")
    if header[:12] != fixed or header[19:20] != b"\0":
        raise Refused("another format, purpose or key version")
    material, salt, part = tenant_key, header[PART:], header[PART:]
    if purpose == "doc":
        context = f"esteira/1|half|{tenant}|{job}|{version}"
        half_a = opened(derive(tenant_key, context, 32), part[:12], part[12:], context.encode())
        material, salt = half_a + half_b, None
    secrets = derive(material, f"esteira/1|{purpose}|{tenant}|{job}", 64, salt)
    if secrets[32:] != header[20:PART]:
        raise Refused("made with another key")
    plain = b"".join(chunks(envelope[len(header):], secrets[:32], header[12:19], header))
    if purpose == "result":
        return plain
    length = int.from_bytes(plain[-8:], "big")
    if len(plain) < 8 or length > len(plain) - 8 or any(plain[length:-8]):
        raise Refused("bad padding")
    return plain[:length]


if __name__ == "__main__":
    who, keys = sys.argv[1:4], map(bytes.fromhex, sys.argv[5:])
    sys.stdout.buffer.write(read(sys.stdin.buffer.read(), *who, int(sys.argv[4]), *keys))
