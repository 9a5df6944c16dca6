"""Scans that are killed, and what is left behind: ``python -m tests.kills 50`` kills that many at random times.

Every killed scan is run again until it ends; what it writes must equal an undisturbed scan's, byte for byte.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from .builders import discs, strips, write_set

OUTPUTS = ("profile.json", "objects.parquet")
SCAN = """
import sys
from pathlib import Path
from shapeprof import ScanOptions, scan_masks
scan_masks(Path(sys.argv[1]), ScanOptions(workers=int(sys.argv[2])), Path(sys.argv[3]))
"""


def start(masks: Path, workers: int, out: Path) -> subprocess.Popen[bytes]:
    """A scan in a process of its own."""
    command = [sys.executable, "-c", SCAN, str(masks), str(workers), str(out)]
    return subprocess.Popen(command, env={**os.environ, "SHAPEPROF_TEST_MARK": str(out)}, stderr=subprocess.PIPE)


def outputs(out: Path) -> list[bytes]:
    """What a scan wrote, its log left out."""
    return [(out / name).read_bytes() for name in OUTPUTS]


def with_mark(mark: str) -> list[int]:
    """Processes that have the mark in their environment (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if f"SHAPEPROF_TEST_MARK={mark}\0".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def damage(store: Path, chance: random.Random) -> str:
    """Cut, change, empty or add a stored shard; says which."""
    shards = sorted(store.glob("*.shard"))
    if not shards:
        return "no shard yet"
    path, how = chance.choice(shards), chance.choice(["cut", "changed", "emptied", "half-written", "foreign"])
    data = path.read_bytes()
    if how == "cut":
        path.write_bytes(data[: chance.randrange(len(data))])
    elif how == "changed":
        at = chance.randrange(len(data))
        path.write_bytes(data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :])
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "half-written":
        path.rename(path.with_suffix(".part"))
    else:
        (store / "0123.shard").write_bytes(chance.randbytes(100))
    return how


def killed_and_resumed(masks: Path, out: Path, seconds: float, chance: random.Random) -> tuple[int, str, int]:
    """Kill a scan after a random part of ``seconds``, do some damage, and scan again until it ends.

    Every third kill is of one of the scan's worker processes. Returns (what the last process ended with, what was
    damaged, shards that were there already).
    """
    scan = start(masks, chance.choice([1, 2]), out)
    time.sleep(chance.uniform(0, seconds))
    if chance.randrange(3):
        scan.kill()
    else:
        others = [pid for pid in with_mark(str(out)) if pid != scan.pid]
        if others:
            with suppress(ProcessLookupError):
                os.kill(chance.choice(others), signal.SIGKILL)
        if chance.randrange(2):
            time.sleep(chance.uniform(0, seconds / 4))
            scan.kill()
    scan.communicate()
    damaged = damage(out / "shards", chance) if (out / "shards").is_dir() and chance.randrange(2) else "nothing"
    there = len(list((out / "shards").glob("*.shard")))
    again = start(masks, chance.choice([1, 2]), out)
    _, said = again.communicate()
    if again.returncode:
        sys.stderr.write(said.decode())
    return again.returncode, damaged, there


def main(kills: int) -> int:
    """Kill ``kills`` scans; the number whose outcome differs."""
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        masks = write_set(folder / "masks", discs(200, 20, per_image=4) + strips(60, 3))
        begun = time.monotonic()
        start(masks, 2, folder / "whole").communicate()
        seconds, whole, wrong = time.monotonic() - begun, outputs(folder / "whole"), 0
        for number in range(kills):
            out = folder / f"{number}"
            code, damaged, there = killed_and_resumed(masks, out, seconds, chance)
            same = code == 0 and outputs(out) == whole
            wrong += not same
            text = "equal" if same else f"DIFFERS, exit {code}"
            sys.stdout.write(f"{number}: {there} shards kept, damaged: {damaged}; {text}\n")
            sys.stdout.flush()
            shutil.rmtree(out)
    sys.stdout.write(f"{kills} kills, {wrong} outcomes differ\n")
    return wrong


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50) > 0)
