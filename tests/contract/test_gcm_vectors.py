"""The vectors that tests/unit/port/seal_chunk_test.c reads say the truth, by another implementation of AES-GCM."""
import pathlib

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

FILE = pathlib.Path(__file__).parent / "vectors/gcm/vectors.txt"
LINES = [line.split() for line in FILE.read_text().splitlines() if line and not line.startswith("#")]


def test_there_are_some_of_both():
    assert sum(line[6] == "valid" for line in LINES) >= 11
    assert sum(line[6] == "invalid" for line in LINES) >= 40
    assert len({line[7] for line in LINES}) == len(LINES)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line[7])
def test_vector(line):
    key, prefix, aad, plain, cipher, tag = (b"" if word == "-" else bytes.fromhex(word) for word in line[:6])
    nonce = prefix + bytes(4) + b"\x01"
    assert (len(key), len(nonce)) == (32, 12)
    if line[6] == "valid":
        assert AESGCM(key).encrypt(nonce, plain, aad) == cipher + tag
        assert AESGCM(key).decrypt(nonce, cipher + tag, aad) == plain
        return
    with pytest.raises((InvalidTag, ValueError)):
        AESGCM(key).decrypt(nonce, cipher + tag, aad)
