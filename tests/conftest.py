"""Set before any test imports torch, as both command lines do."""

from __future__ import annotations

from fer_train.contract.threads import limit_spinning

limit_spinning()
