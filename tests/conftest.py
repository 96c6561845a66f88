"""Set before any test imports torch, as both command lines do."""

from __future__ import annotations

from fer_train.contract.threads import let_idle_threads_sleep

let_idle_threads_sleep()
