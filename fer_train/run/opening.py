"""Open a run, fresh or from last.pt; its folder is created when nothing can be wrong any more."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fer_train.config.options import TrainConfig
from fer_train.config.recipe import write_toml
from fer_train.contract.architectures import architecture, require_input_size
from fer_train.contract.checkpoint import Checkpoint, read_checkpoint
from fer_train.contract.errors import LabelMismatch, ResumeMismatch
from fer_train.contract.files import write_text
from fer_train.contract.terms import missing_terms
from fer_train.data.layouts import recognise
from fer_train.learning.weights import StartingWeights, load_starting_weights, read_starting_weights
from fer_train.machine.distributed import World
from fer_train.machine.signals import StopRequest
from fer_train.progress.reporter import Reporter
from fer_train.run.faces import Faces, build_feeds, prepare_faces
from fer_train.run.inherit import describe_differences, describe_split, load_inherited
from fer_train.run.network import Subject, build_subject, learner_for
from fer_train.run.plan import Plan, build_plan
from fer_train.run.resume import ResumePoint
from fer_train.run.session import Session
from fer_train.run.state import Progress, read_progress, restore_learner
from fer_train.run.tensorboard import Board
from fer_train.run_folder import RunFolder, create_run, require_creatable


def open_session(
    config: TrainConfig,
    *,
    out: Path | None,
    cache: Path,
    reporter: Reporter,
    stop: StopRequest,
    resume: ResumePoint | None,
    device: torch.device,
    world: World,
) -> Session:
    """Prepare a run.

    Raises:
        FerError: anything wrong with data, weights, output or the run to resume.
        Stopped: a signal arrived; nothing was written.
    """
    require_input_size(config.arch, config.input_size)
    saved = None if resume is None else resume.checkpoint
    progress = Progress() if saved is None else read_progress(saved.train_state)
    inherited = read_checkpoint(config.from_checkpoint) if config.from_checkpoint else None
    # What fails at once must not wait for images to be decoded, which may take an hour.
    starting_weights = None
    if saved is None and world.leads:
        require_creatable(out, arch=config.arch)
        if inherited is None:
            starting_weights = _read_weights(config, reporter)
    with world.one_after_another():
        faces = prepare_faces(
            config,
            cache=cache,
            reporter=reporter,
            check_stop=stop.raise_if_requested,
            inherited=inherited,
        )
    if saved is not None:
        _require_same_data(saved, faces)
    elif inherited is not None:
        reporter.note("from", f"{config.from_checkpoint}: {inherited.arch}, weights and contract")
        for line in describe_differences(config, inherited, found=faces.found.labels):
            reporter.note("", line)
        split_line = describe_split(config, inherited, faces.found.made_splits)
        if split_line is not None:
            reporter.note(*split_line)

    def load_weights(model: nn.Module) -> None:
        if saved is not None:
            model.load_state_dict(dict(saved.model))
        elif inherited is not None:
            load_inherited(model, inherited)
        else:
            load_starting_weights(
                model,
                architecture(config.arch),
                weights=starting_weights,
                labels=faces.labels,
                say=lambda text: reporter.note("weights", text),
            )

    subject = build_subject(config, faces, device=device, load_weights=load_weights, world=world)
    plan = build_plan(config)
    learner = learner_for(subject, plan.phases[progress.phase], config)
    if saved is not None:
        assert saved.train_state is not None
        restore_learner(saved.train_state, learner)
        _forget_cuts_if_rates_changed(config, progress, saved_config=saved.config)
    _describe_learning(config, reporter)
    _ask_for_terms(config, faces, reporter)
    stop.raise_if_requested()
    root = None
    if world.leads:
        root = (create_run(out, arch=config.arch) if resume is None else resume.run).root
    run = RunFolder(world.from_leader(root))
    if world.leads:
        _write_records(run, config, plan, faces, subject, device=device)
    processes = f", {world.size} processes" if world.size > 1 else ""
    reporter.note(
        "run", f"{run.root} on {device}{' in bfloat16' if subject.bf16 else ''}{processes}"
    )
    return Session(
        config=config,
        plan=plan,
        faces=faces,
        feeds=build_feeds(config, faces, device=device),
        cache=cache,
        subject=subject,
        learner=learner,
        progress=progress,
        run=run,
        board=Board(run.tensorboard, start_epoch=progress.epoch + 1) if world.leads else None,
        reporter=reporter,
        stop=stop,
    )


def _read_weights(config: TrainConfig, reporter: Reporter) -> StartingWeights | None:
    # Weights may have to be downloaded: a mistyped --data comes first.
    recognise(Path(config.data), name=config.layout)
    return read_starting_weights(
        architecture(config.arch),
        source=config.weights,
        say=lambda text: reporter.note("weights", text),
        allow_class=config.allow_class,
    )


def _require_same_data(saved: Checkpoint, faces: Faces) -> None:
    if saved.labels != faces.labels:
        raise LabelMismatch(
            "The data's classes are not those of the run to resume.",
            hint=f"last.pt: {', '.join(saved.labels)}\n  data:    {', '.join(faces.labels)}",
        )
    if saved.data.get("sha256") != faces.record["sha256"]:
        raise ResumeMismatch(
            "The images or their labels are not those the run started with.",
            hint=f"Then: {_totals(saved.data)}. Now: {_totals(faces.record)}. "
            "Start a new run; --from best.pt keeps what was learned.",
        )


def _totals(record: Any) -> str:
    counts = record.get("counts", {})
    return ", ".join(f"{split} {sum(classes.values())}" for split, classes in counts.items())


def _forget_cuts_if_rates_changed(
    config: TrainConfig, progress: Progress, *, saved_config: Any
) -> None:
    # A rate that the plateau has cut stays cut, unless the user asks for another one now.
    if config.lr is not None and config.lr != saved_config["lr"]:
        progress.plateau.scale = 1.0


def _describe_learning(config: TrainConfig, reporter: Reporter) -> None:
    reporter.note("learns", f"{config.arch}, {config.phases_reason()}")
    if config.resolved_phases[0].trains == "head" and not config.starts_from_weights:
        reporter.note("warning", "a frozen backbone with random weights learns next to nothing")
    parts = [f"class weights {config.resolved_class_weights}"]
    if config.logit_adjustment:
        parts.append(f"logits adjusted by {config.logit_adjustment:g} log prior")
    if config.label_smoothing:
        parts.append(f"label smoothing {config.label_smoothing:g}")
    if config.ema:
        parts.append(f"averaged weights (decay {config.ema:g}) are measured and saved")
    if config.early_stop:
        parts.append(f"early stop after {config.early_stop} epochs without a better one")
    reporter.note("recipe", f"{', '.join(parts)}; best by {config.select}")


def _ask_for_terms(config: TrainConfig, faces: Faces, reporter: Reporter) -> None:
    synthetic = bool(faces.record.get("synthetic"))
    missing = missing_terms(config.to_dict(), synthetic=synthetic)
    # A rehearsal on drawn faces is for nobody's use.
    if missing and not synthetic:
        reporter.note(
            "papers",
            f"not recorded, and the model's papers will say so: {', '.join(missing.values())} "
            f"(here or later, in `ferconv build`: {' '.join(missing)})",
        )


def _write_records(
    run: RunFolder,
    config: TrainConfig,
    plan: Plan,
    faces: Faces,
    subject: Subject,
    *,
    device: torch.device,
) -> None:
    resolved = {
        "phases": [asdict(phase) for phase in plan.phases],
        "epochs": plan.epochs,
        "prunings": [asdict(pruning) for pruning in plan.prunings],
        "class_weights": dict(zip(faces.labels, subject.objective.weights.tolist(), strict=True)),
        "device": str(device),
        "bf16": subject.bf16,
        "processes": subject.world.size,
        "augmentation": asdict(faces.augmentation),
        "preprocess": faces.spec.to_dict(),
    }
    run.write_record("config", {"options": config.to_dict(), "resolved": resolved})
    write_text(run.root / "config.toml", write_toml(config))
    run.write_record("data", faces.record)
