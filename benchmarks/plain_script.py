"""The straightforward training script that fertrain is measured against.

What people write: ImageFolder, one PIL image at a time through torchvision's transforms, one
DataLoader, and a loop over it. ``frozen`` is the usual way to train a head only: the other
parameters do not require gradients.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from fer_train.contract.architectures import architecture, build_model, is_head_parameter
from fer_train.contract.preprocess import IMAGENET_MEAN, IMAGENET_STD

Batch = tuple[Tensor, Tensor]


class PlainScript:
    """Model, data and optimiser of the script."""

    def __init__(
        self,
        data: Path,
        *,
        arch: str,
        size: int,
        batch: int,
        frozen: bool,
        lr: float,
        workers: int,
        device: torch.device,
    ) -> None:
        normalise = [transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
        augmented = transforms.Compose(
            [
                transforms.Grayscale(3),
                transforms.RandomResizedCrop(size, scale=(0.8, 1.0), ratio=(0.9, 1.1)),
                transforms.RandomRotation(10),
                transforms.RandomAffine(0, translate=(0.05, 0.05)),
                transforms.ColorJitter(0.2, 0.2, 0.2),
                transforms.RandomHorizontalFlip(),
                *normalise,
            ]
        )
        plain = transforms.Compose(
            [transforms.Grayscale(3), transforms.Resize((size, size)), *normalise]
        )
        self.train_data = ImageFolder(data / "train", augmented)
        self.train: DataLoader[Batch] = DataLoader(
            self.train_data, batch, shuffle=True, num_workers=workers, drop_last=True
        )
        self.val: DataLoader[Batch] = DataLoader(
            ImageFolder(data / "val", plain), batch, num_workers=workers
        )
        torch.manual_seed(0)
        self.classes = len(self.train_data.classes)
        self.device = device
        self.model = build_model(arch, num_classes=self.classes).to(device)
        if frozen:
            chosen = architecture(arch)
            for name, parameter in self.model.named_parameters():
                parameter.requires_grad = is_head_parameter(name, chosen)
        trainable = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(trainable, lr=lr)
        counts = torch.bincount(torch.tensor(self.train_data.targets)).float()
        weights = (1 / counts) / (1 / counts).mean()
        self.loss = nn.CrossEntropyLoss(weight=weights.to(device))

    def step(self, batch: Batch) -> None:
        """Learn from one batch."""
        images, targets = (part.to(self.device) for part in batch)
        self.optimizer.zero_grad()
        self.loss(self.model(images), targets).backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()

    def epoch(self) -> None:
        """Train on every image once."""
        self.model.train()
        for batch in self.train:
            self.step(batch)

    @torch.no_grad()
    def balanced_accuracy(self) -> float:
        """Return the mean recall on the validation split."""
        self.model.eval()
        hits, seen = torch.zeros(self.classes), torch.zeros(self.classes)
        for images, targets in self.val:
            predicted = self.model(images.to(self.device)).argmax(dim=1).cpu()
            seen += torch.bincount(targets, minlength=self.classes)
            hits += torch.bincount(targets[predicted == targets], minlength=self.classes)
        return float((hits / seen).mean())
