"""Set before any test imports torch, as both command lines do."""

from __future__ import annotations

from fer_train.contract.threads import limit_spinning

limit_spinning()

from hypothesis import settings  # noqa: E402

# No test asserts a time: on a busy machine an example may take any.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
