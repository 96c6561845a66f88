"""A file mapped into memory, whose pages can be given back once they have been copied."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_convert.coreml_runtime.element_types import Array


@dataclass(frozen=True, slots=True)
class MappedFile:
    """``content`` is uint8, read page by page as it is touched.

    Without ``memory`` the content is in no file; nothing can be released then.
    """

    path: Path
    content: Array
    memory: mmap.mmap | None = None

    def release(self, part: Array) -> None:
        """Let the system drop the pages that lie wholly in ``part``, a slice of ``content``.

        A resident page counts as memory of the process although the file could give it back at any
        time. Touching the slice again reads it again.
        """
        advice = getattr(mmap, "MADV_DONTNEED", None)  # not on every system
        if advice is None or self.memory is None:
            return
        start = part.ctypes.data - self.content.ctypes.data
        first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        length = (start + part.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - first
        if length > 0:
            self.memory.madvise(advice, first, length)


def map_file(path: Path) -> MappedFile:
    """Map a regular file.

    Raises:
        OSError: it cannot be opened or mapped.
    """
    with path.open("rb") as file:
        if not os.fstat(file.fileno()).st_size:  # what is empty cannot be mapped
            return MappedFile(path, np.zeros(0, dtype=np.uint8))
        # Copy-on-write: torch warns of read-only memory, and nothing is ever written.
        memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    return MappedFile(path, np.frombuffer(memory, dtype=np.uint8), memory)
