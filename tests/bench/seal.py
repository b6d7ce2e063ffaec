#!/usr/bin/python3
"""Sealing and opening a document of 1 MB against bare AES-256-GCM over 1 MB in one piece (openssl speed), in turns; in
processor time, so that a busy machine says the same."""
import json
import os
import re
import statistics
import subprocess

import machine

BYTES, SECONDS, ROUNDS = 1048576, 2, 5
LEAST = 0.7
BIN = os.environ.get("ESTEIRA_BIN_DIR", os.path.join(machine.ROOT, "build/release/bin"))


def openssl(*more):
    """MB/s of OpenSSL's own benchmark."""
    done = subprocess.run(["openssl", "speed", "-evp", "aes-256-gcm", "-bytes", str(BYTES),
                           "-seconds", str(SECONDS), *more], capture_output=True, text=True, check=True)
    return float(re.search(r"^AES-256-GCM\s+([\d.]+)k", done.stdout, re.M).group(1)) / 1e3


def ours():
    """MB/s of sealing and of opening."""
    program = os.path.join(os.path.dirname(BIN), "tests/seal_speed")
    return json.loads(subprocess.run([program, str(BYTES), str(SECONDS)], capture_output=True, check=True).stdout)


def main():
    """Medians of some rounds."""
    verdict, rounds = machine.Verdict(), []
    for _ in range(ROUNDS):
        mine = ours()
        rounds.append((mine["seal"], openssl(), mine["open"], openssl("-decrypt")))
    for what, index in (("seal", 0), ("open", 2)):
        ratios = [r[index] / r[index + 1] for r in rounds]
        verdict.line(f"{what} 1 MB, ours", statistics.median(r[index] for r in rounds), unit="MB/s")
        verdict.line(f"{what} 1 MB, openssl speed", statistics.median(r[index + 1] for r in rounds), unit="MB/s")
        verdict.line(f"{what}: ratio, median of {ROUNDS}", statistics.median(ratios), least=LEAST)
        print(f"  ratios: {', '.join(f'{ratio:.2f}' for ratio in sorted(ratios))}")
    verdict.exit()


if __name__ == "__main__":
    main()
