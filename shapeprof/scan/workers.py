"""Processes that measure shards. Results come in order, even when a process dies."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shapeprof.issues import Issue

if TYPE_CHECKING:
    from .shards import Shard, ShardResult

SMALL_SET = 1 << 20  # bytes of mask files under which starting processes takes longer than measuring
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # parameters of mallopt(3)

Measure = Callable[["Shard"], "ShardResult"]


def number_of_workers(asked: int, sizes: Iterable[int]) -> int:
    """Number of processes: as asked; 0: one per core, or only this one for a small set.

    ``sizes``: bytes of each mask file; read only until the set is known to be large.
    """
    if asked:
        return asked
    total = 0
    for size in sizes:
        total += size
        if total >= SMALL_SET:
            return os.cpu_count() or 1
    return 1


def prepare_for(masks: Path, asked: int) -> None:
    """Call ``prepare`` if workers may be needed. Best before anything heavy is imported here."""
    files = (Path(folder) / name for folder, _, names in os.walk(masks) for name in names)
    if number_of_workers(asked, map(size_of, files)) > 1:
        prepare()


def size_of(path: Path) -> int:
    """Size of a file, bytes; 0 when it is gone."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def prepare() -> None:
    """Start the process that workers are forked from, without waiting for it.

    It loads what workers need, compiled kernels too, so that each worker starts at once. Workers are not forked from
    this process: after OpenCV has used threads, a fork waits for them for ever. On systems without a fork server,
    workers are spawned and take most of a second to start.
    """
    if _METHOD == "forkserver":
        from multiprocessing import forkserver, resource_tracker  # not on Windows

        resource_tracker.ensure_running()  # first: it lets Ctrl-C through again
        forkserver.set_forkserver_preload([f"{__package__}.warmup"])
        # The server must not end on Ctrl-C:
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def results(shards: list[Shard], workers: int, measure: Measure) -> Generator[ShardResult, None, None]:
    """Results in the order of the shards.

    A worker that dies costs only the file that killed it: the shards that were being measured are measured again, each
    in a process of its own, and if that dies too, file by file. A ``suspect`` shard gets its own process at once.
    """
    workers = min(workers, len(shards))
    if workers <= 1:
        for shard in shards:
            yield _isolated(shard, measure) if shard.suspect else measure(shard)
        return
    done: dict[int, ShardResult] = {}
    pending: dict[int, Future[ShardResult]] = {}
    pool = _pool(workers)
    try:
        for i, shard in enumerate(shards):
            try:
                for ahead in range(i, min(i + 2 * workers, len(shards))):  # bounds what waits in memory
                    if ahead not in pending and ahead not in done and not shards[ahead].suspect:
                        pending[ahead] = pool.submit(measure, shards[ahead])
                result = pending.pop(i).result() if i in pending else done.pop(i, None)
            except BrokenProcessPool:
                pool.shutdown()
                lost = sorted({i, *pending})
                done |= {k: _again(shards[k], pending.pop(k, None), measure) for k in lost}
                pool = _pool(workers)
                result = done.pop(i)
            yield _isolated(shard, measure) if result is None else result
    finally:
        pool.shutdown(cancel_futures=True)


def _again(shard: Shard, future: Future[ShardResult] | None, measure: Measure) -> ShardResult:
    """The result of a shard that was being measured when a worker died."""
    if future is not None and future.done() and future.exception() is None:
        return future.result()
    return _isolated(shard, measure)


def _pool(workers: int) -> ProcessPoolExecutor:
    prepare()
    return _Pool(workers, mp_context=get_context(_METHOD), initializer=_start_worker)


class _Pool(ProcessPoolExecutor):
    """Workers that do not run the user's script again, so that it needs no ``if __name__ == "__main__"``."""

    def submit(self, /, *args: Any, **keywords: Any) -> Future[Any]:
        """Submit, which may start workers, while the script is hidden from them."""
        main = sys.modules["__main__"]
        names = {"__file__", "__spec__"} & main.__dict__.keys()
        kept: dict[str, Any] = {name: main.__dict__.pop(name) for name in names}
        main.__spec__ = None
        try:
            return super().submit(*args, **keywords)
        finally:
            main.__dict__.update(kept)


def _start_worker() -> None:
    """Set up a worker: one OpenCV thread, quiet on Ctrl-C, gone when its parent is gone."""
    import cv2

    cv2.setNumThreads(1)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends a worker silently
    if _METHOD == "forkserver":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _keep_memory() -> None:
    """Keep freed memory in the process: returning it after every mask costs a tenth of the time."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        if hasattr(libc, "mallopt"):  # glibc
            libc.mallopt(_MMAP_THRESHOLD, 1 << 25)
            libc.mallopt(_TRIM_THRESHOLD, 1 << 27)


def _end_with_parent() -> None:
    """End this process when its parent has gone, so that a killed scan leaves no workers behind."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)


def _isolated(shard: Shard, measure: Measure) -> ShardResult:
    """Measure a shard in a process of its own; if that dies too, file by file."""
    with _pool(1) as pool:
        try:
            return pool.submit(measure, shard).result()
        except BrokenProcessPool:
            pass
    from .shards import ShardResult

    if len(shard.files) == 1:
        message = (
            "the process that measured it died, as when memory runs out or a decoder crashes; try to open it in an "
            "image viewer, re-save it, or split it into tiles"
        )
        return ShardResult(issues=[Issue("error", "decoder-crashed", message, shard.files[0])])
    total = ShardResult()
    for i, file in enumerate(shard.files):
        one = _isolated(replace(shard, files=(file,), states=shard.states[i : i + 1]), measure)
        total.merge(one)
        total.rows += one.rows
    return total
