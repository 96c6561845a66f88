"""Several processes training one network, started by ``torchrun``; one process is a world of one.

No DistributedDataParallel: a step sums the gradients of all micro-batches, wherever they were
computed, and divides by the summed weights. That is exact under class weights and uneven batches,
needs no re-wrapping when layers are unfrozen, and makes N processes the same training as one
process with ``--accumulate N``.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from fer_train.contract.errors import FerError
from fer_train.machine.signals import Stopped

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn
    from torch.distributed import TCPStore  # type: ignore[attr-defined]


#: Far longer than a thread takes to free a few tensors.
_LET_GO_S = 0.5


#: Where the first process to fail leaves its rank and exit code, in the store of the launcher.
_FAILURE = "fertrain/failure"


_STORE_S = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """This process among the others."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes files and talks to the user."""
        return self.rank == 0

    @contextmanager
    def one_after_another(self) -> Iterator[None]:
        """Run the block first in one process of each machine, then in the others."""
        if self.local_rank > 0:
            self.wait()
        yield
        if self.local_rank == 0:
            self.wait()

    def add_up(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one message."""
        if self.size == 1:
            return
        import torch
        from torch import distributed

        flat = torch.cat([tensor.detach().reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        parts = torch.split(flat, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.view_as(tensor))

    def any(self, flag: bool) -> bool:
        """Tell whether the flag is set in any process: nobody may leave a loop alone."""
        return any(self.gather(flag))

    def gather(self, value: Any) -> list[Any]:
        """Return every process's value, in order of rank."""
        if self.size == 1:
            return [value]
        from torch import distributed

        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def from_leader(self, value: Any) -> Any:
        """Return the leader's value in every process."""
        if self.size == 1:
            return value
        from torch import distributed

        box = [value]
        distributed.broadcast_object_list(box, src=0)
        return box[0]

    def wait(self) -> None:
        """Return when every process has come here."""
        self.gather(None)

    def copy_leaders_weights(self, model: nn.Module) -> None:
        """Give every process the leader's parameters and buffers."""
        if self.size == 1:
            return
        from torch import distributed

        for tensor in model.state_dict().values():
            dense = tensor.contiguous()
            distributed.broadcast(dense, src=0)
            tensor.copy_(dense)

    def average_buffers(self, model: nn.Module) -> None:
        """Average BatchNorm's statistics, which each process took from its own micro-batches."""
        if self.size == 1:
            return
        buffers = [b for b in model.buffers() if b.is_floating_point()]
        self.add_up(buffers)
        for buffer in buffers:
            buffer.div_(self.size)


def is_leader() -> bool:
    """Tell, before or after the processes have joined, whether this one talks to the user."""
    return os.environ.get("RANK", "0") == "0"


def require_shareable(*, accumulate: int, views: int) -> None:
    """Refuse what the processes of torchrun cannot share.

    Raises:
        ValueError: micro-batches per step that are not a multiple of the number of processes, or
            cached views, which one process computes.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size > 1 and views:
        raise ValueError(
            f"--views is {views}, and {size} processes cannot share cached features; allowed: 0, "
            "or no torchrun: a head alone trains in seconds."
        )
    if accumulate % size:
        raise ValueError(
            f"--accumulate is {accumulate}, and {size} processes share these batches of a step; "
            f"allowed: a multiple of {size}. --accumulate {size} with a --batch-size {size} times "
            "smaller keeps the step as it is."
        )


@contextmanager
def joined_world(device: torch.device) -> Iterator[World]:
    """Join the processes that torchrun started, for the block; without torchrun, a world of one.

    Where several fail, the first says why. The others only miss it in the middle of a message, or
    fail alike: they leave without a word, with its exit code.

    Raises:
        SystemExit: another process failed before this one.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    from torch import distributed

    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    rank, local_rank = distributed.get_rank(), int(os.environ.get("LOCAL_RANK", "0"))
    store = distributed.TCPStore(  # type: ignore[attr-defined]
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=False,
        timeout=timedelta(seconds=_STORE_S),
    )
    try:
        yield World(rank=rank, size=size, local_rank=local_rank)
    except Exception as error:
        first, code = _first_failure(store, rank, error)
        if first != rank:
            raise SystemExit(code) from error
        raise
    finally:
        # Destroying gloo's group joins its threads while it holds the GIL; one that still has to
        # let go of the last message's tensors needs the GIL, and both would wait for ever. Asleep,
        # this thread holds nothing.
        time.sleep(_LET_GO_S)
        distributed.destroy_process_group()


def _first_failure(store: TCPStore, rank: int, error: Exception) -> tuple[int, int]:
    """Return rank and exit code of the process that failed first; this one if it did."""
    code = error.exit_code if isinstance(error, FerError) else 1
    if isinstance(error, Stopped):
        code = 128 + error.signum
    try:
        first = store.compare_set(_FAILURE, "", f"{rank} {code}").decode()
    except RuntimeError:  # the launcher is gone, and with it whatever was left there
        return rank, code
    first_rank, first_code = map(int, first.split())
    return first_rank, first_code
