"""Seconds until the script's best validation balanced accuracy: the script's own and fertrain's.

Both as a user waits for them. fertrain's clock starts with its process and stops when the epoch
that reached the figure is measured and saved: imports, decoding, compiling and computing views are
in it. The script's starts without its imports. The figure is known to the script only afterwards,
so that a lucky epoch late in its run counts against it no more than it would in use.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from plain_script import PlainScript

from fer_train.run_folder import RunFolder

#: What fertrain does against the script, per what is trained: a name, for how many times the
#: script's epochs (a schedule that ends needs no more) and options of `train`.
OURS = {
    "all parameters": (
        ("fertrain, the same recipe", 2, ("--finetune=all", "--lr=1e-3")),
        ("fertrain --preset recommended", 1, ("--preset=recommended",)),
    ),
    "head": (
        ("fertrain, the same recipe", 2, ("--finetune=head", "--lr=1e-3")),
        ("fertrain, --views 4", 2, ("--finetune=head", "--lr=1e-3", "--views=4")),
    ),
}
_POLL = 0.1  # seconds


def compare(
    trains: str,
    make_script: Callable[[], PlainScript],
    *,
    epochs: int,
    command: Sequence[str],
    scratch: Path,
) -> None:
    """Print the script's best figure in ``epochs`` and when each of ``OURS`` was as good.

    Args:
        command: options of `fertrain train` that both have in common.
    """
    target, theirs = _script(make_script(), epochs)
    print(f"  {f'{trains}: seconds to {target:.3f} balanced':<44} {'seconds':>8} {'x':>7}")
    print(f"  {'script':<44} {theirs:>8.1f}", flush=True)
    for number, (name, times, options) in enumerate(OURS[trains]):
        out = scratch / f"{trains.replace(' ', '-')}-{number}"
        limit = times * epochs
        more = (*options, f"--epochs={limit}", f"--cache={out}-cache")
        reached, best = _ours([*command, *more], RunFolder(out), target)
        if reached is None:
            print(f"  {name:<44} {'never':>8} (best {best:.3f} in {limit} epochs)", flush=True)
        else:
            print(f"  {name:<44} {reached:>8.1f} {theirs / reached:>7.1f}", flush=True)


def _script(script: PlainScript, epochs: int) -> tuple[float, float]:
    """Return the best balanced accuracy and the seconds until it was known."""
    best, reached, started = 0.0, 0.0, time.perf_counter()
    for _ in range(epochs):
        script.epoch()
        accuracy = script.balanced_accuracy()
        if accuracy > best:
            best, reached = accuracy, time.perf_counter() - started
    return best, reached


def _ours(options: Sequence[str], run: RunFolder, target: float) -> tuple[float | None, float]:
    """Return the seconds until a run is as good as ``target``, if ever, and its best figure."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "fer_train.cli", "train", *options, f"--out={run.root}", "--quiet"]
    )
    best = 0.0
    while best < target:
        ended = process.poll()
        best = max((float(row["val_balanced_accuracy"]) for row in run.read_history()), default=0.0)
        if best < target:
            if ended is not None:
                if ended:
                    raise SystemExit(ended)  # fertrain has said why
                return None, best
            time.sleep(_POLL)
    reached = time.perf_counter() - started
    process.send_signal(signal.SIGINT)
    process.wait()
    return reached, best
