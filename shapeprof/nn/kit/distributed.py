"""Several processes that train one network, as torchrun starts them: what they add up, and how an error ends all.

Without torchrun there is one process, of rank 0, and everything here does nothing.
Reference: Li et al. 2020, PyTorch Distributed: data-parallel training (DDP).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from .errors import InputError

Value = TypeVar("Value")


class SharedError(InputError):
    """The error of one process, raised on all of them; the first one tells it."""


def _setting(name: str, default: int) -> int:
    launched = dist.is_available() and dist.is_torchelastic_launched()
    return int(os.environ[name]) if launched else default


def rank() -> int:
    """Number of this process, from 0; the first one logs and saves."""
    return _setting("RANK", 0)


def size() -> int:
    """Number of processes, on all machines."""
    return _setting("WORLD_SIZE", 1)


def local_rank() -> int:
    """Number of this process among those of its machine."""
    return _setting("LOCAL_RANK", 0)


def local_size() -> int:
    """Number of processes on this machine."""
    return _setting("LOCAL_WORLD_SIZE", 1)


@contextmanager
def joined(*, cuda: bool) -> Iterator[None]:
    """Inside, the processes can talk: tensors on a GPU over NCCL, all else over gloo.

    A process that fails alone ends without a goodbye, for which the others might never answer; torchrun ends them.
    """
    if size() == 1:
        yield
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    try:
        yield
    except SharedError:
        dist.destroy_process_group()
        raise
    dist.destroy_process_group()


@contextmanager
def agreed() -> Iterator[None]:
    """What happens inside succeeds on every process, or fails on every one with the error of the lowest rank.

    It must not wait for other processes: they may have failed already.

    Raises:
        SharedError: an ``InputError`` was raised inside, on any process.
    """
    failure: str | None = None
    try:
        yield
    except InputError as error:
        failure = str(error)
    if highest(failure is not None):
        failures: list[str | None] = [failure]
        if size() > 1:
            failures = [None] * size()
            dist.all_gather_object(failures, failure)
        raise SharedError(next(each for each in failures if each is not None))


def highest(number: int) -> int:
    """The highest ``number`` of all processes."""
    if size() == 1:
        return number
    shared = torch.tensor(number)
    dist.all_reduce(shared, dist.ReduceOp.MAX)
    return int(shared)


def total(numbers: Tensor) -> Tensor:
    """The sum of ``numbers`` over all processes, in place."""
    if size() > 1:
        dist.all_reduce(numbers)
    return numbers


def of_first(make: Callable[[], Value]) -> Value:
    """What ``make`` returns on the first process; it is called on no other."""
    if size() == 1:
        return make()
    made = [make() if rank() == 0 else None]
    dist.broadcast_object_list(made, src=0)
    value: Value = made[0]  # type: ignore[assignment]
    return value


def share_buffers(network: nn.Module) -> None:
    """Give every process the first one's buffers: without SyncBatchNorm each has its own running statistics."""
    if size() > 1:
        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


def is_lost(error: BaseException) -> bool:
    """Whether ``error`` only says that another process is gone."""
    return size() > 1 and (isinstance(error, dist.DistError) or "gloo" in str(error))
