#!/usr/bin/python3
"""Private memory of idle processes, and what the whole of VmRSS says beside it."""
import os
import threading

import machine
import belt
import rig

LIMITS_MB = {"intake": 6, "audit": 6, "ocr": None, "zygote": 60}
STEADY_S, GIVE_UP_S = 3, 40
MB = 1e6


def zygote_of(pid):
    """The jail's zygote: the child of ocr that runs esteira-ocr-jail."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        children = f.read().split()
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/children", encoding="ascii") as f:
            children += f.read().split()
    for child in children:
        with open(f"/proc/{child}/comm", encoding="ascii") as f:
            if f.read().startswith("esteira-ocr-jai"):
                return int(child)
    raise SystemExit("memory: ocr has no zygote")


def steady(pids):
    """Private bytes of each once none of them has changed for a while."""
    pause, last, since = threading.Event(), None, 0
    for _ in range(GIVE_UP_S):
        now = {name: machine.private_bytes(pid) for name, pid in pids.items()}
        since = since + 1 if now == last else 0
        if since >= STEADY_S:
            break
        last = now
        pause.wait(1)
    return now


def main():
    verdict = machine.Verdict()
    rig.make_samples()
    with rig.temporary() as plant:
        client = plant.client()
        belt.finish(client, client.send(belt.sample("receipt-2")))
        pids = {name: plant.stack.pid(f"{name}-1") for name in ("intake", "audit", "ocr")}
        pids["zygote"] = zygote_of(pids["ocr"])
        for name, size in steady(pids).items():
            verdict.line(f"{name}, private", size / MB, most=LIMITS_MB[name], unit="MB")
            verdict.line(f"{name}, VmRSS", machine.status_bytes(pids[name], "VmRSS") / MB, unit="MB")
    verdict.exit()


if __name__ == "__main__":
    main()
