"""Images per second of fertrain's data path and training step against the obvious script.

The baseline is what people write: one PIL image at a time through torchvision's transforms, in a
DataLoader without workers, then the same network, loss, clipping and optimiser.

    make demo && .venv/bin/python benchmarks/train.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from fer_train.contract.threads import limit_spinning

limit_spinning()

import torch  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torchvision import transforms  # noqa: E402
from torchvision.datasets import ImageFolder  # noqa: E402

from fer_train.config import TrainConfig  # noqa: E402
from fer_train.contract.architectures import build_model  # noqa: E402
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD  # noqa: E402
from fer_train.data.batches import shuffled_batches  # noqa: E402
from fer_train.data.cache import default_cache_folder  # noqa: E402
from fer_train.engine import train_step, training_mode  # noqa: E402
from fer_train.progress import PlainReporter  # noqa: E402
from fer_train.setup import build_feeds, build_learner, prepare_faces  # noqa: E402

Batches = Callable[[int], Iterable[tuple[Tensor, Tensor]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("demo/faces"))
    parser.add_argument("--arch", default="efficientnet_b0")
    parser.add_argument("--size", type=int, default=48)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--batches", type=int, default=15, help="per measurement")
    arguments = parser.parse_args()

    config = TrainConfig(
        data=str(arguments.data),
        arch=arguments.arch,
        weights="none",
        batch_size=arguments.batch,
        input_size=arguments.size,
    )
    faces = prepare_faces(
        config,
        cache=default_cache_folder(),
        reporter=PlainReporter(quiet=True),
        check_stop=lambda: None,
    )
    cpu = torch.device("cpu")
    feed = build_feeds(config, faces, device=cpu)["train"]
    learner = build_learner(config, faces, device=cpu, load_weights=lambda model: None)
    training_mode(learner)

    def ours(epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        split = shuffled_batches(feed.cache.count, batch_size=arguments.batch, seed=0, epoch=epoch)
        for number, indices in enumerate(split):
            yield feed.training(indices, epoch=epoch, batch=number)

    def learn(batch: tuple[Tensor, Tensor]) -> None:
        train_step(learner, *batch)

    theirs = plain_loader(arguments.data / "train", size=arguments.size, batch=arguments.batch)
    learn_plainly = plain_step(arguments.arch)
    print(f"{arguments.arch}, {arguments.size} px, batch {arguments.batch}, all layers, CPU")
    print(f"{'images per second':<24} {'fertrain':>9} {'script':>9} {'ratio':>6}")
    for name, step, plain in (
        ("data path alone", lambda batch: None, lambda batch: None),
        ("with the training step", learn, learn_plainly),
    ):
        # Twice and in turn, the better of each: the machine may be shared.
        a = max(rate(ours, step, arguments.batches, arguments.batch) for _ in range(2))
        b = max(rate(theirs, plain, arguments.batches, arguments.batch) for _ in range(2))
        print(f"{name:<24} {a:>9.0f} {b:>9.0f} {a / b:>6.2f}")


def rate(
    batches: Batches, step: Callable[[tuple[Tensor, Tensor]], None], count: int, size: int
) -> float:
    """Return images per second over ``count`` batches after one that is not counted."""
    stream = iter(batches(1))
    step(next(stream))
    start = time.perf_counter()
    for _ in range(count):
        step(next(stream))
    return count * size / (time.perf_counter() - start)


def plain_loader(folder: Path, *, size: int, batch: int) -> Batches:
    """Return the replaced script's data loading: per-sample PIL transforms."""
    data = ImageFolder(
        folder,
        transforms.Compose(
            [
                transforms.Grayscale(3),
                transforms.RandomResizedCrop(size, scale=(0.5, 1.0)),
                transforms.RandomRotation(10),
                transforms.RandomAffine(0, translate=(0.1, 0.1)),
                transforms.ColorJitter(0.2, 0.2, 0.2),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
            ]
        ),
    )
    return lambda epoch: torch.utils.data.DataLoader(
        data, batch_size=batch, shuffle=True, drop_last=True
    )


def plain_step(arch: str) -> Callable[[tuple[Tensor, Tensor]], None]:
    """Return a training step as a script would write it."""
    model = build_model(arch, num_classes=8).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    loss_function = nn.CrossEntropyLoss()

    def step(batch: tuple[Tensor, Tensor]) -> None:
        images, targets = batch
        optimizer.zero_grad()
        loss_function(model(images), targets).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
