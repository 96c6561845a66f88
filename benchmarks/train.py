"""fertrain against a straightforward training script: speed, time to the same accuracy, memory.

    .venv/bin/python benchmarks/train.py                   # efficientnet_b0 at 48 px, minutes
    .venv/bin/python benchmarks/train.py --all             # three networks, 48 and 224 px: hours
    .venv/bin/python benchmarks/train.py --arch resnet152 --size 224 --seconds 10 --parts rates

Faces are drawn first unless --data names a folder. Rates are wall-clock images per second of
training steps, the script's and ours in turn, the best of two rounds each: the machine may be
shared. Weights are random unless --weights names some, for the script too: the time of a step does
not depend on them, what a head can learn does.
"""

from __future__ import annotations

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fer_train.contract.threads import limit_spinning

limit_spinning()

import numpy as np  # noqa: E402
import same_accuracy  # noqa: E402
import torch  # noqa: E402
from plain_script import PlainScript  # noqa: E402

from fer_train.config.options import TrainConfig  # noqa: E402
from fer_train.contract.architectures import architecture, features  # noqa: E402
from fer_train.data.batches import shuffled_batches  # noqa: E402
from fer_train.data.cache import default_cache_folder  # noqa: E402
from fer_train.learning.engine import Feed, Learner, Loaded, train_step, training_mode  # noqa: E402
from fer_train.learning.prefetch import loader_for  # noqa: E402
from fer_train.learning.weights import load_starting_weights, read_starting_weights  # noqa: E402
from fer_train.machine.device import select_device  # noqa: E402
from fer_train.machine.distributed import World  # noqa: E402
from fer_train.progress.reporter import PlainReporter  # noqa: E402
from fer_train.run.cached_features import cached_feeds  # noqa: E402
from fer_train.run.faces import Faces, build_feeds, prepare_faces  # noqa: E402
from fer_train.run.network import build_subject, learner_for  # noqa: E402
from fer_train.synthetic.dataset import demo_counts, write_dataset  # noqa: E402

ARCHITECTURES = ("efficientnet_b0", "resnet152", "densenet121")
PARTS = ("rates", "profile", "accuracy", "memory")
VIEWS = 2
#: Epochs over which the cost of computing views is spread in the last column.
EPOCHS = 100

#: Runs its arguments and prints the child's peak resident memory in KiB.
PEAK_OF = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)

Step = Callable[[], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder with train/ and val/ [drawn faces]")
    parser.add_argument("--arch", action="append", help="[efficientnet_b0]; may be repeated")
    parser.add_argument("--size", action="append", type=int, help="[48]; may be repeated")
    parser.add_argument(
        "--all", action="store_true", help=f"{', '.join(ARCHITECTURES)}; 48 and 224"
    )
    parser.add_argument("--seconds", type=float, default=5, help="per measurement and round")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--epochs", type=int, default=4, help="of the script, for part accuracy")
    parser.add_argument("--weights", default="none")
    parser.add_argument("--precision", default="auto", choices=["auto", "fp32", "bf16"])
    parser.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda", "mps"])
    parser.add_argument("--loader-workers", type=int, default=0, help="of the script")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fertrain-bench-") as scratch:
        data = arguments.data or draw(Path(scratch) / "faces")
        device = select_device(arguments.device)
        print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, {data}")
        sizes = arguments.size or ((48, 224) if arguments.all else (48,))
        names = arguments.arch or ARCHITECTURES[: 3 if arguments.all else 1]
        networks = itertools.product(sizes, names)
        for size, arch in networks:
            bench = Bench(data, arch, size, device, arguments, scratch=Path(scratch))
            for part in arguments.parts.split(","):
                if part != "memory":
                    getattr(bench, part)()
        if "memory" in arguments.parts:
            memory(data, Path(scratch))


def draw(root: Path) -> Path:
    """Draw a small data set."""
    counts = demo_counts(train=60, val=20, test=0)
    write_dataset(root, per_class=counts, size=96, seed=0, workers=os.cpu_count() or 1)
    return root


class Bench:
    """One network at one size."""

    def __init__(
        self,
        data: Path,
        arch: str,
        size: int,
        device: torch.device,
        arguments: argparse.Namespace,
        *,
        scratch: Path,
    ) -> None:
        self.data, self.arch, self.size, self.device = data, arch, size, device
        self.arguments, self.scratch = arguments, scratch
        self.config = TrainConfig(
            data=str(data),
            arch=arch,
            weights=arguments.weights,
            batch_size=arguments.batch,
            input_size=size,
            precision=arguments.precision,
            finetune="head",
            views=VIEWS,
            workers=os.cpu_count() or 1,
            prune=0,
        )
        quiet = PlainReporter(quiet=True)
        self.faces: Faces = prepare_faces(
            self.config,
            cache=default_cache_folder(),
            reporter=quiet,
            check_stop=lambda: None,
        )
        self.feeds = build_feeds(self.config, self.faces, device=device)
        print(f"\n{arch}, {size} px, batch {arguments.batch}")

    def learner(self, *, frozen: bool) -> Learner:
        config = replace(self.config, finetune="head" if frozen else "all", views=0)
        subject = build_subject(
            config,
            self.faces,
            device=self.device,
            load_weights=self.load_weights,
            world=World(),
        )
        learner = learner_for(subject, config.resolved_phases[0], config)
        training_mode(learner)
        return learner

    def load_weights(self, model: torch.nn.Module, labels: tuple[str, ...] | None = None) -> None:
        arch, source = architecture(self.arch), self.arguments.weights
        load_starting_weights(
            model,
            arch,
            weights=read_starting_weights(arch, source=source, say=lambda text: None),
            labels=labels or self.faces.labels,
            say=lambda text: None,
        )
        if self.arguments.weights == "none":
            self.settle(model)

    def settle(self, model: torch.nn.Module) -> None:
        """Give random weights BatchNorm statistics of their own: resnet152 overflows without."""
        norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None  # the average of all batches
        images, _ = self.feeds["train"].evaluation(np.arange(self.arguments.batch))
        with torch.no_grad():
            model.train()(images)
        for norm in norms:
            norm.momentum = 0.1

    def stream(self, feed: Feed) -> Iterator[Loaded]:
        """Yield batches for ever, loaded as training loads them."""
        load = loader_for(self.device)
        for epoch in itertools.count(1):
            batches = shuffled_batches(
                self.feeds["train"].cache.count,
                batch_size=self.arguments.batch,
                seed=0,
                epoch=epoch,
            )
            yield from load(feed, list(enumerate(batches)), epoch=epoch)

    def our_step(self, learner: Learner, feed: Feed) -> Step:
        stream = self.stream(feed)
        return lambda: train_step(learner, [next(stream)])

    def script(self, *, frozen: bool) -> PlainScript:
        script = PlainScript(
            self.data,
            arch=self.arch,
            size=self.size,
            batch=self.arguments.batch,
            frozen=frozen,
            lr=1e-3,
            workers=self.arguments.loader_workers,
            device=self.device,
        )
        if self.arguments.weights != "none":
            self.load_weights(script.model, tuple(script.train_data.classes))
        return script

    def script_step(self, *, frozen: bool) -> Step:
        script = self.script(frozen=frozen)
        script.model.train()
        batches = itertools.chain.from_iterable(script.train for _ in itertools.count())
        return lambda: script.step(next(batches))

    def rate(self, *steps: Step) -> list[float]:
        """Return images per second of each step, in turn, best of two rounds."""
        best = [0.0] * len(steps)
        for _ in range(2):
            for number, step in enumerate(steps):
                best[number] = max(best[number], self.one_rate(step))
        return best

    def one_rate(self, step: Step) -> float:
        step()
        self.synchronise()
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < self.arguments.seconds:
            step()
            count += 1
        self.synchronise()
        batch: int = self.arguments.batch
        return count * batch / (time.perf_counter() - started)

    def synchronise(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def rates(self) -> None:
        """Images per second and their ratios to the script's."""
        frozen = self.learner(frozen=True)
        started = time.perf_counter()
        cached = cached_feeds(
            self.config,
            self.faces,
            self.feeds,
            frozen,
            folder=self.scratch,
            reporter=PlainReporter(quiet=True),
            check_stop=lambda: None,
        )
        building = time.perf_counter() - started
        training_mode(frozen)
        (a, b, whole, head, views) = self.rate(
            self.script_step(frozen=False),
            self.script_step(frozen=True),
            self.our_step(self.learner(frozen=False), self.feeds["train"]),
            self.our_step(frozen, self.feeds["train"]),
            self.our_step(self.learner(frozen=True), cached["train"]),
        )
        images = self.feeds["train"].cache.count * EPOCHS
        spread = images / (building + images / views)
        print(f"  {'images per second':<44} {'rate':>8} {'x (a)':>7} {'x (b)':>7}")
        for name, value in (
            ("(a) script, all parameters", a),
            ("(b) script, backbone frozen", b),
            ("fertrain, all parameters", whole),
            ("fertrain, head, augmented anew", head),
            (f"fertrain, head, {VIEWS} cached views", views),
            (f"  with their computation, over {EPOCHS} epochs", spread),
        ):
            print(f"  {name:<44} {value:>8.0f} {value / a:>7.1f} {value / b:>7.1f}")

    def profile(self) -> None:
        """What a step with a frozen backbone spends its time on."""
        learner, feed = self.learner(frozen=True), self.feeds["train"]
        indices = np.arange(self.arguments.batch)
        loaded = Loaded(0, *feed.training(indices, epoch=1, batch=0))
        backbone = learner.backbone
        assert backbone is not None
        known = backbone(loaded.inputs)
        script = self.script(frozen=True)
        items = itertools.cycle(range(len(script.train_data)))

        def load() -> Loaded:
            return Loaded(0, *feed.training(indices, epoch=1, batch=0))

        calls: dict[str, Step] = {
            "read pixels from the cache": lambda: feed.cache.gather(indices),
            "the same, augmented and normalised": load,
            "backbone forward": lambda: backbone(loaded.inputs),
            "(the same, BatchNorm not folded)": lambda: no_graph(
                features, learner.model, learner.arch, loaded.inputs
            ),
            "head, backward, optimiser": lambda: train_step(
                learner, [loaded._replace(inputs=known)]
            ),
            "whole step": lambda: train_step(learner, [load()]),
            "(script: load and transform as many)": lambda: [
                script.train_data[next(items)] for _ in indices
            ],
        }
        print(f"  {'milliseconds per batch':<44} {'time':>8}")
        for name, call in calls.items():
            spent = 1000 * self.arguments.batch / self.one_rate(call)
            print(f"  {name:<44} {spent:>8.1f}")

    def accuracy(self) -> None:
        """Time until fertrain's validation balanced accuracy is the script's best."""
        shared = [f"--data={self.data}", f"--arch={self.arch}", f"--input-size={self.size}"]
        shared += [f"--weights={self.arguments.weights}", f"--batch-size={self.arguments.batch}"]
        shared += ["--prune=0", f"--device={self.device.type}"]
        shared += [f"--precision={self.arguments.precision}"]
        for trains in same_accuracy.OURS:
            same_accuracy.compare(
                trains,
                partial(self.script, frozen=trains == "head"),
                epochs=self.arguments.epochs,
                command=shared,
                scratch=self.scratch / f"{self.arch}-{self.size}",
            )


def memory(data: Path, scratch: Path) -> None:
    """Peak memory of one epoch on the data and on ten times as many files."""
    print(f"\n{'peak memory of fertrain train':<46} {'images':>8} {'MB':>8}")
    for times in (1, 10):
        root = scratch / f"times-{times}"
        for file in (data / "train").rglob("*.png"):
            for copy in range(times):
                target = root / "train" / file.parent.name / f"{copy}-{file.name}"
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(file)
        (root / "val").symlink_to(data / "val")
        command = [sys.executable, "-m", "fer_train.cli", "train", "--data", str(root)]
        command += ["--arch", "efficientnet_b0", "--weights", "none", "--finetune", "head"]
        command += ["--epochs", "1", "--prune", "0", "--quiet", "--device", "cpu"]
        command += ["--cache", str(scratch / "cache"), "--out", str(scratch / f"memory-{times}")]
        # Through a small process: the peak of a child counts what its parent held when it forked.
        done = subprocess.run([sys.executable, "-c", PEAK_OF, *command], stdout=subprocess.PIPE)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)} failed")
        images = sum(1 for _ in (root / "train").rglob("*.png"))
        print(f"{f'{times} x the data':<46} {images:>8} {int(done.stdout) / 1024:>8.0f}")


def no_graph(function: Callable[..., Any], *arguments: Any) -> None:
    with torch.no_grad():
        function(*arguments)


if __name__ == "__main__":
    main()
