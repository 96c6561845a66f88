"""How the compute threads of torch's OpenMP pool wait."""

from __future__ import annotations

import os


def let_idle_threads_sleep() -> None:
    """Make OpenMP workers sleep while they wait; call before torch is imported.

    By default they spin. On cores that another process also uses, the spinning keeps the thread
    they wait for off the processor: a training step of efficientnet_b0 on two busy cores took
    4.2 s spinning and 0.55 s sleeping. A value the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
