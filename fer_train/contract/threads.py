"""How long the compute threads of torch's OpenMP pool spin while they wait."""

from __future__ import annotations

import os

#: Turns of libgomp's waiting loop before a thread goes to sleep. Training efficientnet_b0 (batch
#: 64, 48 px) on two cores, in images per second: idle machine 209 with the default (spin for ever),
#: 192 with this, 141 sleeping at once; with two other busy processes 26, 77 and 102.
_SPINS = 3000


def limit_spinning() -> None:
    """Let waiting OpenMP threads sleep soon; call before torch is imported.

    A thread that spins on a core another process needs keeps the very thread it waits for off the
    processor. Values the user has set stay.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", str(_SPINS))
