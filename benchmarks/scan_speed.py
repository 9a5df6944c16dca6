"""How long a scan takes, as ratios to decoding the same files: ``scan_speed.py [FOLDER ...] [--data DATASETS]``.

One process, CPU time (``time.process_time``), interleaved repeats, medians of the ratios of one
run. ``--help`` lists the options; README.md says what the columns are and what they were.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from shapeprof.labelmap import ignore_index
from shapeprof.metrics import holes, shape
from shapeprof.metrics.bins import width_edges
from shapeprof.metrics.concavity import concavity_depth
from shapeprof.metrics.crowding import suspected_merged
from shapeprof.metrics.linear import linear
from shapeprof.metrics.measure import measure
from shapeprof.metrics.members import members
from shapeprof.metrics.nearest import nearest
from shapeprof.metrics.runs import find_classes, find_objects, stack
from shapeprof.metrics.width import widths
from shapeprof.runmap import RunMap
from shapeprof.scan.options import ScanOptions
from shapeprof.scan.shards import Shard, ShardResult, measure_shard
from shapeprof.sources import Encoding, detect, find_masks, read_runs

REAL = (
    "dsb2018_nuclei",
    "hc18_fetal_head",
    "indoor_corridor_roboflow",
    "dubai_aerial",
    "paveseg_pavement",
)  # those with index masks
SYNTHETIC = ("voc", "street", "nuclei", "trees")
SHARD = 64  # files measured in one go


@dataclass(frozen=True)
class Set:
    """The files of one set that are timed."""

    name: str
    root: Path
    files: tuple[str, ...]
    encoding: Encoding

    def first(self, n: int) -> Set:
        """The same with fewer files."""
        return replace(self, files=self.files[:n])


def load(folder: Path, limit: int) -> Set:
    """``limit`` files of a folder, spread evenly."""
    found = find_masks(folder)
    step = max(1, len(found.files) // limit)
    files = found.files[::step][:limit]
    name = folder.parent.name if folder.name.startswith("masks") else folder.name
    return Set(name, found.root, files, detect(found))


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process for one call."""
    start = time.process_time()
    work()
    return time.process_time() - start


def decode(masks: Set) -> None:
    """What everything is compared with: OpenCV decoding the files, nothing else."""
    for file in masks.files:
        cv2.imread(str(masks.root / file), cv2.IMREAD_UNCHANGED)


def scan(masks: Set, *, sampled: bool = False, local_width: bool = False) -> None:
    """Read, measure and tally, as a scan's worker does it; ``sampled``: as it does masks of the sample."""
    options = ScanOptions(thickness=local_width)
    total = ShardResult()
    for i in range(0, len(masks.files), SHARD):
        files = masks.files[i : i + SHARD]
        sample = frozenset(files if sampled else ())
        total.merge(measure_shard(Shard(masks.root, files, sample, masks.encoding, options)))


def scikit_image(masks: Set) -> None:
    """What a script does: decode, label each class, ask for area, solidity and perimeter."""
    import skimage.measure

    properties = ("area", "solidity", "perimeter")
    for file in masks.files:
        values = _indices(masks.root / file)
        if masks.encoding.instances:
            skimage.measure.regionprops_table(values, properties=properties)
            continue
        background = masks.encoding.classes.background
        for value in np.unique(values):
            if value != background and value != ignore_index(values.dtype):
                labels = skimage.measure.label(values == value, connectivity=2)
                skimage.measure.regionprops_table(labels, properties=properties)


def _indices(path: Path) -> NDArray[Any]:
    values = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if values.ndim == 3:  # OpenCV shows a palette as colours; Pillow keeps the indices
        with Image.open(path) as image:
            values = np.asarray(image)
    return values


def ratios(masks: Set, repeats: int) -> dict[str, float]:
    """Medians over the repeats of CPU time over that of decoding, and the decode in ms a file."""
    linear_only = _linear_of(masks)
    work: dict[str, Callable[[], object]] = {
        "decode": lambda: decode(masks),
        "read": lambda: read(masks),
        "scan": lambda: scan(masks),
        "width": lambda: scan(masks, local_width=True),
        "linear": linear_only,
        "sampled": lambda: scan(masks, sampled=True),
    }
    for each in work.values():
        each()
    times = [{name: cpu(each) for name, each in work.items()} for _ in range(repeats)]
    for t in times:
        t["linear"] += t["scan"]
    names = ("read", "scan", "linear", "width", "sampled")
    result = {name: median(t[name] / t["decode"] for t in times) for name in names}
    result["decode"] = 1000 * median(t["decode"] for t in times) / len(masks.files)
    return result


def read(masks: Set) -> list[RunMap]:
    """Read all files as runs."""
    return [read_runs(masks.root, file, masks.encoding)[0] for file in masks.files]


def _linear_of(masks: Set) -> Callable[[], object]:
    """Linear survival alone, of masks whose runs and objects are there."""
    background = masks.encoding.classes.background
    runs = stack(read(masks))
    objects, classes = find_objects(runs, background), find_classes(runs, background)
    return lambda: linear(runs, objects, classes)


def against_scikit_image(masks: Set, repeats: int) -> float:
    """How many times longer scikit-image takes than a scan, on the same few files."""
    scan(masks)
    scikit_image(masks.first(1))
    times = [(cpu(lambda: scikit_image(masks)), cpu(lambda: scan(masks))) for _ in range(repeats)]
    return median(slow / fast for slow, fast in times)


def part_times(masks: Set, repeats: int) -> dict[str, float]:
    """CPU time of the steps of a scan, over that of decoding."""
    background = masks.encoding.classes.background
    maps = read(masks)
    runs = stack(maps)
    objects, classes = find_objects(runs, background), find_classes(runs, background)
    grouped = members(runs, objects)
    outline = shape.outline(runs, grouped)
    gaps = holes.gaps(runs, grouped, shape.hole_count(objects))
    everything, nothing = np.ones(len(maps), bool), np.zeros(len(maps), bool)
    measured = measure(maps, background, sampled=nothing)
    bins = width_edges()
    work: dict[str, Callable[[], object]] = {
        "read_runs": lambda: read(masks),
        "stack": lambda: stack(maps),
        "find_objects": lambda: find_objects(runs, background),
        "find_classes": lambda: find_classes(runs, background),
        "members": lambda: members(runs, objects),
        "outline": lambda: shape.outline(runs, grouped),
        "holes": lambda: holes.gaps(runs, grouped, shape.hole_count(objects)),
        "nesting": lambda: holes.nesting(runs, objects, classes, gaps, background),
        "concavity_depth": lambda: concavity_depth(runs, grouped, outline.area, outline.hull_area),
        "nearest": lambda: nearest(runs, objects, classes),
        "measure, outside the sample": lambda: measure(maps, background, sampled=nothing),
        "tally and merge": lambda: ShardResult().add(measured),
        "linear (sample)": lambda: linear(runs, objects, classes),
        "widths (sample)": lambda: widths(runs, objects, classes, everything, *bins),
        "suspected_merged (sample)": lambda: suspected_merged(runs, objects, grouped, outline, everything),
    }
    work["decode"] = lambda: decode(masks)
    for each in work.values():
        each()
    times = [{name: cpu(each) for name, each in work.items()} for _ in range(repeats)]
    return {name: median(t[name] / t["decode"] for t in times) for name in work if name != "decode"}


def two_workers(folder: Path, repeats: int) -> list[tuple[float, float]]:
    """Wall seconds of a whole scan in one process, and how many times faster it is on two.

    Of the first scan of a process, which loads the kernels and starts the workers, and of its second.
    """
    pairs = [(_scan_alone(folder, 1, 2)[1], _scan_alone(folder, 2, 2)[1]) for _ in range(repeats)]
    return [(median(one[i] for one, _ in pairs), median(one[i] / two[i] for one, two in pairs)) for i in range(2)]


def large_mask(folder: Path, side: int) -> Path:
    """A folder with one mask of ``side`` x ``side`` px: masks of ``folder`` side by side, over and over."""
    target = folder.parent / f"{folder.name}-{side}"
    target.mkdir(exist_ok=True)
    tile = _indices(sorted(folder.glob("*.png"))[0])
    rows, columns = (-(-side // n) for n in tile.shape)
    Image.fromarray(np.tile(tile, (rows, columns))[:side, :side]).save(target / "large.png")
    return target


def copies(folder: Path, count: int, target: Path) -> Path:
    """A folder of ``count`` masks: copies of those of ``folder``."""
    masks = target / "masks"
    masks.mkdir()
    sources = sorted(folder.rglob("*.png"))
    for i in range(count):
        shutil.copy(sources[i % len(sources)], masks / f"{i:05d}.png")
    return masks


ALONE = """
import pathlib, resource, sys, tempfile, time
from shapeprof.scan import ScanOptions, scan_masks
for _ in range(int(sys.argv[3])):
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as out:
        scan_masks(pathlib.Path(sys.argv[1]), ScanOptions(workers=int(sys.argv[2])), pathlib.Path(out) / "out")
    print(time.perf_counter() - start)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def _scan_alone(masks: Path, workers: int, times: int = 1) -> tuple[float, list[float]]:
    """Peak memory (MB) of a process of its own that scans a folder, and the seconds that each scan takes in it."""
    command = [sys.executable, "-c", ALONE, str(masks), str(workers), str(times)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    *seconds, memory = map(float, done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024  # bytes or kB
    return memory * unit / 1e6, seconds


def peak_memory(folder: Path, count: int) -> float:
    """Peak memory in MB of a process of its own that scans ``count`` copies of the masks of a folder."""
    with tempfile.TemporaryDirectory() as name:
        return _scan_alone(copies(folder, count, Path(name)), 1)[0]


def _folders(arguments: argparse.Namespace) -> list[Path]:
    wanted = [*arguments.folders]
    if arguments.data:
        wanted += [arguments.data / name / "masks_index" for name in REAL]
    if arguments.synthetic:
        wanted += [arguments.synthetic / name for name in SYNTHETIC]
    for folder in wanted:
        if not folder.is_dir():
            print(f"skipped: {folder} is not there")
    return [folder for folder in wanted if folder.is_dir()]


def _print_row(cells: list[str]) -> None:
    print("| " + " | ".join(f"{cell:>11}" for cell in cells) + " |", flush=True)


def _print_ratios(sets: list[Set], arguments: argparse.Namespace) -> None:
    print("\nCPU time over that of cv2.imread of the same files; last column: scikit-image over the scan\n")
    head = ["set", "files", "decode ms", "read", "scan", "+ width", "+ linear", "sampled"]
    head += [] if arguments.no_skimage else ["skimage"]
    _print_row(head)
    _print_row(["---"] * len(head))
    for masks in sets:
        r = ratios(masks, arguments.repeats)
        cells = [f"{r[name]:.2f}" for name in ("decode", "read", "scan", "width", "linear", "sampled")]
        if not arguments.no_skimage:
            cells.append(f"{against_scikit_image(masks.first(arguments.skimage_files), 3):.1f}")
        _print_row([masks.name[:11], str(len(masks.files)), *cells])


def _print_parts(sets: list[Set], repeats: int) -> None:
    print("\nSteps, CPU time over that of cv2.imread of the same files\n")
    tables = [part_times(masks, repeats) for masks in sets]
    _print_row(["step", *(masks.name[:11] for masks in sets)])
    _print_row(["---"] * (len(sets) + 1))
    for name in tables[0]:
        _print_row([name[:11], *(f"{table[name]:.3f}" for table in tables)])


def _print_memory(folders: list[Path], count: int) -> None:
    print(f"\nPeak memory of a whole scan, MB: {count} and {4 * count} masks\n")
    for folder in folders:
        few, many = peak_memory(folder, count), peak_memory(folder, 4 * count)
        _print_row([folder.name[:11], f"{few:.0f}", f"{many:.0f}", f"{many / few:.2f}"])


def _print_workers(folders: list[Path], count: int, repeats: int) -> None:
    print(f"\nTwo workers against one, wall time of a whole scan of {count} masks: first of a process, second\n")
    for folder in folders:
        with tempfile.TemporaryDirectory() as name:
            (first, cold), (second, warm) = two_workers(copies(folder, count, Path(name)), repeats)
        _print_row([folder.name[:11], f"{first:.1f} s", f"{cold:.2f}", f"{second:.1f} s", f"{warm:.2f}"])


def _print_large(folders: list[Path], side: int) -> None:
    print(f"\nOne mask of {side} x {side} px: peak memory of the process, seconds\n")
    for folder in folders:
        memory, (seconds,) = _scan_alone(large_mask(folder, side), 1)
        _print_row([folder.name[:11], f"{memory:.0f} MB", f"{seconds:.1f} s"])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="*", help="folders of masks")
    parser.add_argument("--data", type=Path, help=f"folder of data sets; of these: {', '.join(REAL)}")
    parser.add_argument("--synthetic", type=Path, help="folder that make_masks.py wrote")
    parser.add_argument("--files", type=int, default=60, help="masks of each set")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--skimage-files", type=int, default=3)
    parser.add_argument("--no-skimage", action="store_true")
    parser.add_argument("--parts", action="store_true", help="time the steps too")
    parser.add_argument("--memory", type=int, default=0, metavar="N", help="peak memory for N and 4 N masks")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="two workers against one, N masks")
    parser.add_argument("--large", type=int, default=0, metavar="SIDE", help="one mask of SIDE x SIDE px")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    names = ("numpy", "numba", "opencv-python-headless", "scikit-image")
    packages = ", ".join(f"{name} {version(name)}" for name in names)
    print(f"{platform.platform()}, Python {platform.python_version()}, {packages}, {os.cpu_count()} CPUs")
    folders = _folders(arguments)
    if not folders:
        sys.exit("nothing to time: name folders, or give --data or --synthetic")
    sets = [load(folder, arguments.files) for folder in folders]
    _print_ratios(sets, arguments)
    if arguments.parts:
        _print_parts(sets, arguments.repeats)
    if arguments.memory:
        _print_memory(folders, arguments.memory)
    if arguments.workers:
        _print_workers(folders, arguments.workers, arguments.repeats)
    if arguments.large:
        _print_large(folders, arguments.large)


if __name__ == "__main__":
    main()
