"""Every torchvision classifier family through coremltools, and the saved files through the runtime.

    python benchmarks/torchvision_models.py convert --work DIR   # minutes; resumable
    python benchmarks/torchvision_models.py compare --work DIR   # only what is not compared yet
    python benchmarks/torchvision_models.py write --work DIR > docs/torchvision-models.md

Networks have seeded random weights; nothing is downloaded. Each conversion runs in a process of its
own, under a time limit; its result is a JSON file in DIR, and is not computed again while it is
there.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import logging
import multiprocessing
import os
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

CLASSES = 10
IMAGES = 8
FORMATS = {"neuralnetwork": "mlmodel", "fp32": "mlpackage", "fp16": "mlpackage"}
#: The project's six networks come last: they are the largest.
SIZES = {
    "alexnet": 224, "squeezenet1_1": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64,
    "mnasnet0_5": 64, "shufflenet_v2_x0_5": 64, "resnet18": 64, "vit_b_16": 224, "maxvit_t": 224,
    "swin_t": 224, "swin_v2_t": 224, "convnext_tiny": 64, "regnet_x_400mf": 64,
    "regnet_y_400mf": 64, "googlenet": 64, "vgg11": 224, "resnext50_32x4d": 64,
    "wide_resnet50_2": 64, "inception_v3": 96, "efficientnet_v2_s": 64, "efficientnet_b0": 64,
    "densenet121": 64, "resnet101": 64, "resnet152": 64, "densenet161": 64, "densenet201": 64,
}  # fmt: skip
WAYS = ("trace", "export", "rewrite")


class Classifier(nn.Module):
    """Pixels 0..255 -> (probabilities, logits), the normalisation inside, as `ferconv` exports."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        logits = self.network(image / 127.5 - 1.0)
        return torch.softmax(logits, dim=1), logits


class Probabilities(nn.Module):
    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, image: Tensor) -> Tensor:
        probabilities: Tensor = self.classifier(image)[0]
        return probabilities


def pictures(size: int, count: int, seed: int) -> np.ndarray[Any, Any]:
    """Seeded RGB images ``[count, size, size, 3]``: in turn noise, waves and blocks, so that even
    an untrained network answers differently."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:size, 0:size] / size
    result = []
    for index in range(count):
        noise = rng.uniform(0, 255, (size, size, 3))
        phases, tilt = rng.uniform(0, 6, 3), rng.uniform(-25, 25, (3, 2))
        waves = np.sin(x[..., None] * tilt[:, 0] + y[..., None] * tilt[:, 1] + phases) * 127 + 128
        coarse = rng.uniform(0, 255, (4, 4, 3))
        blocks = coarse.repeat(-(-size // 4), 0).repeat(-(-size // 4), 1)[:size, :size]
        kind = (noise, waves, blocks)[index % 3]
        result.append(0.9 * kind + 0.1 * noise)
    return np.stack(result).astype(np.uint8)


def as_batch(images: np.ndarray[Any, Any]) -> Tensor:
    return torch.from_numpy(images).permute(0, 3, 1, 2).float()


@torch.no_grad()
def build(name: str) -> Classifier:
    """A random network whose answers are not degenerate.

    Constant parameters (zero heads, layer scales of 1e-6, norms) become random, batch norms take
    their statistics from two batches, and the last layer is centred and scaled on them.
    """
    import torchvision

    torch.manual_seed(7)
    options: dict[str, Any] = {"num_classes": CLASSES}
    if name in {"googlenet", "inception_v3"}:
        options |= {"aux_logits": False, "init_weights": False, "transform_input": False}
    classifier = Classifier(getattr(torchvision.models, name)(weights=None, **options)).eval()
    for parameter in classifier.parameters():
        if parameter.std(correction=0) == 0:
            mean = parameter.mean().round()
            parameter.copy_(mean + 0.1 * torch.randn_like(parameter))
    norms = [m for m in classifier.modules() if isinstance(m, nn.BatchNorm2d)]
    batches = [as_batch(pictures(SIZES[name], 6, seed)) for seed in (1, 2)]
    for norm in norms:
        norm.train()
        norm.momentum = None  # the plain average of all batches
    for batch in batches if norms else ():
        classifier(batch)
    classifier.eval()

    logits = torch.cat([classifier(batch)[1] for batch in batches])
    last = [m for m in classifier.modules() if isinstance(m, nn.Linear | nn.Conv2d)][-1]
    gain = 2 / logits.std(0).mean()
    last.weight.mul_(gain)
    if last.bias is not None:
        if isinstance(last, nn.Linear):  # squeezenet ends in a convolution and a ReLU
            last.bias.sub_(logits.mean(0))
        last.bias.mul_(gain)
    return classifier.requires_grad_(False)


class ExplicitAttention(nn.Module):
    """`nn.MultiheadAttention` of one sequence with itself, in operations converters know."""

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.attention = attention

    def forward(self, x: Tensor, *_: Tensor, need_weights: bool) -> tuple[Tensor, None]:
        a = self.attention
        batch, length, width = x.shape
        joint = nn.functional.linear(x, a.in_proj_weight, a.in_proj_bias)
        split = joint.reshape(batch, length, 3 * a.num_heads, a.head_dim).transpose(1, 2)
        q, k, v = split.chunk(3, dim=1)
        weights = torch.softmax(q @ k.transpose(2, 3) / a.head_dim**0.5, dim=3)
        joined = (weights @ v).transpose(1, 2).reshape(batch, length, width)
        return nn.functional.linear(joined, a.out_proj.weight, a.out_proj.bias), None


@contextlib.contextmanager
def rewritten(classifier: Classifier) -> Iterator[Classifier]:
    """Replace the calls that coremltools' TorchScript front end stumbles over; results stay."""
    result = copy.deepcopy(classifier)
    for module in list(result.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.MultiheadAttention):
                setattr(module, name, ExplicitAttention(child))
        # Swin V2 zeroes the key third of this bias, in place, on each call.
        if hasattr(module, "logit_scale"):
            bias = module.get_parameter("qkv.bias")
            bias[len(bias) // 3 : 2 * len(bias) // 3] = 0
    zero, swapaxes = Tensor.zero_, torch.swapaxes
    Tensor.zero_ = lambda self: self  # type: ignore[method-assign,assignment,return-value]
    torch.swapaxes = torch.transpose  # type: ignore[assignment]
    try:
        yield result
    finally:
        Tensor.zero_, torch.swapaxes = zero, swapaxes  # type: ignore[method-assign]


@dataclass(frozen=True)
class Job:
    """One network in one format, converted in one way."""

    work: Path
    model: str
    format: str
    way: str

    @property
    def stem(self) -> str:
        return f"{self.model}.{self.format}.{self.way}"

    @property
    def saved(self) -> Path:
        return self.work / f"{self.stem}.{FORMATS[self.format]}"

    @property
    def converted_path(self) -> Path:
        return self.work / f"{self.stem}.convert.json"

    @property
    def compared_path(self) -> Path:
        return self.work / f"{self.stem}.compare.json"

    @property
    def reference_path(self) -> Path:
        return self.work / f"{self.model}.npz"


def convert(job: Job) -> dict[str, Any]:
    """Convert and save; answers of PyTorch eager are saved beside it."""
    import coremltools as ct

    classifier = build(job.model)
    size = SIZES[job.model]
    with torch.no_grad():
        answers = [classifier(as_batch(i[None])) for i in pictures(size, IMAGES, seed=3)]
        probabilities, logits = (torch.cat(part).numpy() for part in zip(*answers, strict=True))
    if not job.reference_path.exists():
        partial_path = job.work / f"{job.stem}.npz"
        np.savez(partial_path, probabilities=probabilities, logits=logits)
        partial_path.replace(job.reference_path)

    start = time.perf_counter()
    with rewritten(classifier) if job.way == "rewrite" else contextlib.nullcontext(classifier) as c:
        module, example = Probabilities(c).eval(), torch.full((1, 3, size, size), 127.5)
        program: Any
        if job.way == "export":
            program = torch.export.export(module, (example,)).run_decompositions({})
        else:
            program = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
    target: dict[str, Any] = {"minimum_deployment_target": ct.target.iOS16}
    if job.format == "neuralnetwork":
        target = {"convert_to": "neuralnetwork", "minimum_deployment_target": ct.target.iOS14}
    else:
        names = {"fp32": ct.precision.FLOAT32, "fp16": ct.precision.FLOAT16}
        target["compute_precision"] = names[job.format]
    model = ct.convert(
        program,
        inputs=[ct.ImageType(name="image", shape=(1, 3, size, size))],
        classifier_config=ct.ClassifierConfig([f"class-{i}" for i in range(CLASSES)]),
        skip_model_load=True,
        **target,
    )
    model.save(str(job.saved))
    return {
        "seconds": time.perf_counter() - start,
        "parameters": sum(p.numel() for p in classifier.parameters()),
        "spread": float(logits.std(0).mean()),
        "predicted": sorted({int(i) for i in logits.argmax(1)}),
    }


def compare(job: Job) -> dict[str, Any]:
    """Run the saved file and compare with what PyTorch eager answered in `convert`."""
    from fer_convert.coreml_runtime import UnsupportedOperation, load_program

    start = time.perf_counter()
    try:
        program = load_program(job.saved)
        runs = {"declared": Differences(job)}
        if job.format == "fp16":
            runs["fp32"] = Differences(job)
        for index, image in enumerate(pictures(SIZES[job.model], IMAGES, seed=3)):
            for precision, differences in runs.items():
                values = program.run(
                    {"image": image},
                    precision=precision,  # type: ignore[arg-type]
                    capture=[program.logits_name] if program.logits_name else [],
                )
                logits = values[program.logits_name] if program.logits_name else None
                differences.add(index, values[program.probabilities_name], logits)
    except UnsupportedOperation as error:
        return {"error": str(error), "missing": missing_operations(str(error))}
    return {
        "differences": {precision: d.summary() for precision, d in runs.items()},
        "operations": sum(n for name, n in program.operation_counts.items() if name != "const"),
        "seconds": time.perf_counter() - start,
    }


class Differences:
    """Collects how far the runtime is from PyTorch eager, image after image."""

    def __init__(self, job: Job) -> None:
        saved = np.load(job.reference_path)
        self.probabilities, self.logits = saved["probabilities"], saved["logits"]
        self.dp, self.dlogit, self.same = [0.0], [0.0], 0

    def add(self, index: int, scores: Any, logits: Any | None) -> None:
        scores, reference = scores.reshape(-1), self.logits[index]
        self.dp.append(float(np.abs(scores - self.probabilities[index]).max()))
        if logits is not None:
            difference = np.abs(logits.reshape(-1) - reference).max()
            self.dlogit.append(float(difference / np.abs(reference).max()))
        self.same += int(scores.argmax() == reference.argmax())

    def summary(self) -> dict[str, float]:
        # np.max, unlike max, does not lose a NaN.
        return {
            "dp": float(np.max(self.dp)), "dlogit": float(np.max(self.dlogit)), "same": self.same,
            "logits": len(self.dlogit) - 1,
        }  # fmt: skip


def missing_operations(error: str) -> list[str]:
    """The operation types that an `UnsupportedOperation` of loading names; options are not."""
    _, found, listed = error.partition(" of this model: ")
    return re.findall(r"([\w.]+) '", listed) if found else []


def isolated(work: Callable[[Job], dict[str, Any]], job: Job, path: Path, limit: float) -> None:
    """Run ``work`` in a forked process and save what it returns, or why it did not, in ``path``."""
    start = time.perf_counter()
    process = multiprocessing.get_context("fork").Process(target=_child, args=(work, job, path))
    process.start()
    process.join(limit)
    if process.is_alive():
        process.kill()
        process.join()
        save(path, {"error": f"no result after {limit:.0f} s", "seconds": limit})
    elif process.exitcode:
        save(path, {"error": f"the process ended with {process.exitcode}"})
    result = json.loads(path.read_text())
    seconds = time.perf_counter() - start
    print(f"{job.stem}: {result.get('error') or 'ok'} ({seconds:.0f} s)", file=sys.stderr)


def _child(work: Callable[[Job], dict[str, Any]], job: Job, path: Path) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with Path(os.devnull).open("w") as silent:
        os.dup2(silent.fileno(), 2)  # progress bars
    try:
        # coremltools removes its temporary packages at exit, which a killed process never reaches.
        with tempfile.TemporaryDirectory(dir=job.work) as tempfile.tempdir:
            result = work(job)
    except Exception as error:  # whatever a converter raises is a row of the table
        text = str(error).strip() or repr(error)
        line = f"{type(error).__name__}: {text.splitlines()[0]}"
        result = {"error": line, "text": text[:4000]}
    save(path, result)
    os._exit(0)  # the parent's threads are not this process's to wait for


def save(path: Path, result: dict[str, Any]) -> None:
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(result, indent=1))
    beside.replace(path)


def result_of(path: Path) -> dict[str, Any]:
    """A saved result; empty if there is none yet."""
    return dict(json.loads(path.read_text())) if path.exists() else {}


def convert_network(work: Path, limit: float, network: tuple[str, str]) -> None:
    """Trace; the other ways only if that has failed."""
    format_name, model = network
    for way in WAYS:
        job = Job(work, model, format_name, way)
        if not job.converted_path.exists():
            isolated(convert, job, job.converted_path, limit)
        if way == "trace" and "error" not in result_of(job.converted_path):
            break


def compare_network(work: Path, limit: float, network: tuple[str, str]) -> None:
    """Every saved file that has not been compared, or could not be."""
    format_name, model = network
    for way in WAYS:
        job = Job(work, model, format_name, way)
        converted = result_of(job.converted_path)
        if not converted or "error" in converted:
            continue
        if "differences" not in result_of(job.compared_path):
            isolated(compare, job, job.compared_path, limit)


INTRODUCTION = """\
# torchvision's classifiers in the portable Core ML runtime

Generated by `benchmarks/torchvision_models.py`. The smallest network of each family (and the
project's six) was converted with coremltools, saved, read back by `fer_convert.coreml_runtime` in
its reference engine at declared precision, and compared with PyTorch eager fp32 on {images} seeded
images (noise, waves, blocks), {classes} classes.

* Weights are **random**: batch norms are calibrated on two batches, the last layer is centred and
  scaled so that answers depend on the image. This shows whether files compute what the networks
  compute, and says nothing about the accuracy of trained ones. fp16 in particular: an untrained
  network is ill-conditioned, so its fp16 columns are no estimate for a trained one. To tell
  rounding from mistakes, the last column runs the fp16 file with nothing rounded but its stored
  weights.
* Δp: largest difference of a probability. Δlogit: largest difference of a logit, relative to the
  image's largest logit. The top class agreed on all {images} images unless a count is given.
* Ways: `trace` is TorchScript; `export` is `torch.export`, tried only where `trace` failed;
  `rewrite` is TorchScript after small changes to the network (below), likewise. `not tried` and
  `not compared`: this run was stopped before.

Versions: torch {torch}, torchvision {torchvision}, coremltools {coremltools}. Deployment targets:
iOS 14 (neuralnetwork), iOS 16 (ML Program).
"""
REWRITES = """
## Rewrites

Three changes, meant to leave the result as it is: `nn.MultiheadAttention` as explicit
attention (linear, reshape, matmul, softmax); `torch.swapaxes` as `torch.transpose`; Swin V2's
in-place `zero_` of a bias slice done once, before tracing. All three were applied together.
"""


def document(work: Path) -> str:
    """The table of everything found in ``work``, as Markdown."""
    import coremltools
    import torchvision

    lines = [
        INTRODUCTION.format(
            images=IMAGES,
            classes=CLASSES,
            torch=torch.__version__,
            torchvision=torchvision.__version__,
            coremltools=coremltools.__version__,
        ),
        "| network | px | way | neuralnetwork Δp, Δlogit | ML Program fp32 Δp, Δlogit "
        "| ML Program fp16 Δp, Δlogit | fp16 file in fp32 Δp, Δlogit |",
        "|---|---|---|---|---|---|---|",
    ]
    failures: list[str] = []
    for model in sorted(SIZES):
        for way in WAYS:
            jobs = {name: Job(work, model, name, way) for name in FORMATS}
            if way != "trace" and not any(j.converted_path.exists() for j in jobs.values()):
                continue
            cells = [cell(job, "declared") for job in jobs.values()] + [cell(jobs["fp16"], "fp32")]
            lines.append(f"| {model} | {SIZES[model]} | {way} | {' | '.join(cells)} |")
            failures += [line for job in jobs.values() for line in reasons(job)]
    listed = ["", "## What failed, and why", "", *failures] if failures else []
    return "\n".join([*lines, *listed, REWRITES.rstrip()])


def cell(job: Job, precision: str) -> str:
    converted, compared = result_of(job.converted_path), result_of(job.compared_path)
    if not converted:
        return "not tried"
    if "error" in converted:
        return "not converted"
    if compared.get("missing"):
        return "missing operation"
    if "differences" not in compared:
        return "failed" if compared else "not compared"
    found = compared["differences"][precision]
    dlogit = f"{found['dlogit']:.0e}" if found["logits"] else "no logits"
    agreed = "" if found["same"] == IMAGES else f" ({found['same']} of {IMAGES})"
    return f"{found['dp']:.0e}, {dlogit}{agreed}"


def reasons(job: Job) -> list[str]:
    """Why a conversion or a comparison failed, as items of a list."""
    converted, compared = result_of(job.converted_path), result_of(job.compared_path)
    title = f"* {job.model}, {job.format}, {job.way}"
    if "error" in converted:
        return [f"{title}, converting: {shortened(converted['error'])}"]
    if compared.get("missing"):
        return [f"{title}, the runtime lacks: {', '.join(compared['missing'])}"]
    return [f"{title}, running: {shortened(compared['error'])}"] if "error" in compared else []


def shortened(text: str) -> str:
    """One line of code, as far as it belongs on a page."""
    return f"`{' '.join(text.replace('`', chr(39)).split())[:160]}`"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("stage", choices=("convert", "compare", "write"))
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", nargs="*", choices=SIZES, default=list(SIZES))
    parser.add_argument("--limit", type=float, default=150, help="seconds per conversion")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.stage == "write":
        print(document(arguments.work))
        return
    os.nice(10)
    torch.set_num_threads(1)
    if arguments.stage == "convert":  # imported once, before forking
        logging.disable(logging.CRITICAL)
        import coremltools  # noqa: F401
        import torchvision  # noqa: F401
    stage = {"convert": convert_network, "compare": compare_network}[arguments.stage]
    # ML Programs first: they are the faster ones.
    networks = [(f, model) for f in ("fp32", "fp16", "neuralnetwork") for model in arguments.models]
    with ThreadPoolExecutor(arguments.processes) as pool:
        list(pool.map(partial(stage, arguments.work, arguments.limit), networks))


if __name__ == "__main__":
    main()
