"""Options, presets and files: who wins, what is refused, and what a plan makes of them."""

from __future__ import annotations

import csv
import json
from math import inf, nan
from pathlib import Path

import pytest

from fer_train.config.options import TrainConfig
from fer_train.config.phase import Phase, parse_phase
from fer_train.config.recipe import PRESETS, build_config, read_config_file, write_toml
from fer_train.contract.checkpoint import read_checkpoint
from fer_train.contract.errors import NotFound
from fer_train.data.augment import AugmentSpec
from fer_train.run.faces import augmentation
from fer_train.run.plan import build_plan
from tests.fer_train.faces import Fertrain

BASE = {"data": "D", "arch": "resnet101"}


def config(**values: object) -> TrainConfig:
    return TrainConfig(**{**BASE, **values})


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_command_line_over_file_over_preset_over_default(tmp_path: Path) -> None:
    file = write(tmp_path / "c.toml", 'preset = "original"\nlr = 2e-4\nbatch-size = 8\ndata = "F"')
    built = build_config({"lr": 5e-4}, file=file)
    assert (built.lr, built.batch_size, built.data) == (5e-4, 8, "F")  # typed, file, file
    assert (built.epochs, built.arch, built.weight_decay) == (100, "resnet152", 1e-5)  # preset
    assert built.label_smoothing == 0.0  # default
    assert build_config(BASE, preset="recommended", file=file).ema == 0.99


def test_the_original_recipe_is_the_stated_one() -> None:
    built = build_config({"data": "D"}, preset="original")
    assert built.arch == "resnet152" and built.weights == "IMAGENET1K_V1"
    assert built.input_size == 48 and built.color == "gray" and built.batch_size == 32
    plan = build_plan(built)
    assert plan.phases == (Phase(trains="head", epochs=100, lr=1e-4),)
    assert built.batchnorm_frozen and built.resolved_class_weights == "inverse"
    assert (built.weight_decay, built.clip_norm) == (1e-5, 1.0)
    assert (built.schedule, built.patience, built.plateau_factor) == ("plateau", 5, 0.1)
    assert built.select == "macro_f1" and built.recovery_epochs == 0
    assert [(p.position, p.sparsity) for p in plan.prunings] == [(100, pytest.approx(0.2))]
    spec = augmentation(built)
    assert spec.crop_area == pytest.approx((0.08, 1.0))
    assert spec.crop_ratio == pytest.approx((3 / 4, 4 / 3))
    assert (spec.rotation, spec.translation, spec.flip) == (10.0, 0.1, 0.5)
    assert (spec.brightness, spec.contrast, spec.saturation) == (0.2, 0.2, 0.0)


def test_defaults_of_augmentation_are_written_once() -> None:
    ours, spec = augmentation(config()), AugmentSpec()
    assert ours.crop_area == spec.crop_area and ours.rotation == spec.rotation
    assert (ours.flip, ours.brightness, ours.saturation) == (0.5, 0.2, 0.2)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_complete_recipes(name: str) -> None:
    assert build_config({"data": "D"}, preset=name).starts_from_weights


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("learning_rate = 1.0", "unknown key 'learning_rate'"),
        ("epoch = 3", "did you mean 'epochs'"),
        ("epochs = '3'", "epochs is '3'; allowed: a whole number"),
        ("epochs = true", "allowed: a whole number"),
        ("color = 3", "allowed: gray, rgb"),
        ("color = 'sepia'", "--color is sepia; allowed: gray, rgb"),
        ("epochs = ", "is not TOML"),
        ("preset = 'best'", "preset is 'best'; allowed: original, recommended"),
        ("phases = ['head:1']", "--phase is 'head:1'"),
        ("phases = 3", "phases is 3; allowed: text such as"),
        ("phase = true", "phase is True; allowed: text such as"),
        ("phases = [3]", "a phase is 3; allowed: text such as"),
        ("phase = 'all:2'", "--phase is 'all:2'"),
        ("phase = 'all:2:1e-3'\nphases = []", "'phase' and 'phases' are the same option"),
        (
            "phases = ['all:2:1']\n[[phase]]\ntrains = 'head'\nepochs = 2\nlr = 1",
            "'phases' and 'phase' are the same option; allowed: one of them",
        ),
        ("early-stop = 3\nearly_stop = 4", "'early-stop' and 'early_stop' are the same option"),
        ("from = 'a.pt'\nfrom_checkpoint = 'b.pt'", "'from' and 'from_checkpoint'"),
        ("out = 'run'", "it belongs on the command line, as --out."),
        ("json = true", "it belongs on the command line, as --json."),
        ("resume = 'run'", "it belongs on the command line, as --resume."),
        ("[[phases]]\ntrains = 'head'\nepochs = 2", "a phase is"),
        ("[[phases]]\ntrains = 'head'\nepochs = 2\nlr = 1\nspeed = 1", "a phase is"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, needle: str) -> None:
    with pytest.raises(ValueError) as caught:
        build_config(BASE, file=write(tmp_path / "c.toml", text))
    assert needle in str(caught.value)


@pytest.mark.parametrize("key", ["phase", "phases"])
def test_phases_are_one_text_or_a_list_under_either_name(tmp_path: Path, key: str) -> None:
    for text in ("'all:2:1e-3'", "['all:2:1e-3']"):
        built = build_config(BASE, file=write(tmp_path / "c.toml", f"{key} = {text}"))
        assert built.phases == (Phase(trains="all", epochs=2, lr=1e-3),)
    tables = f"[[{key}]]\ntrains = 'all'\nepochs = 2\nlr = 1e-3"
    assert build_config(BASE, file=write(tmp_path / "c.toml", tables)).phases == built.phases


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"no configuration file .*c\.toml"):
        read_config_file(tmp_path / "c.toml")


def test_the_resolved_configuration_can_be_used_again(tmp_path: Path) -> None:
    first = config(
        phases=(parse_phase("head:2:1e-3"), parse_phase("all:3:1e-3:1e-4")),
        data='a "quoted" folder',
        ema=0.99,
        prune_at=4,
        seed=7,
    )
    again = build_config({}, file=write(tmp_path / "config.toml", write_toml(first)))
    assert again == first


def test_options_that_exclude_each_other_replace_those_of_a_lower_layer(tmp_path: Path) -> None:
    file = write(tmp_path / "c.toml", 'phases = ["head:1:1e-3", "all:1:1e-3:1e-4"]')
    typed = {"data": "D", "arch": "resnet101", "finetune": "head", "epochs": 5, "lr": 1e-3}
    assert build_config(typed, file=file).phases == ()
    phases = (parse_phase("all:3:1e-4"),)
    built = build_config({"data": "D", "phases": phases}, preset="original")
    assert built.lr is None and built.total_epochs == 3
    adjusted = build_config({"data": "D", "logit_adjustment": 1.0}, preset="recommended")
    assert adjusted.resolved_class_weights == "none"


@pytest.mark.parametrize(
    ("values", "needle"),
    [
        ({"logit_adjustment": 1.0, "class_weights": "inverse"}, "correct twice"),
        ({"phases": (parse_phase("head:1:1"),), "lr": 1.0}, "no --finetune and no --lr"),
        ({"phases": (parse_phase("head:3:1"), parse_phase("all:3:1")), "epochs": 3}, "above 3"),
        ({"new_classes": True}, "--new-classes is for --from"),
        ({"allow_class": "a.B", "weights": "none"}, "--allow-class is for --weights"),
        ({"allow_class": "a.B", "from_checkpoint": "b.pt"}, "--allow-class is for --weights"),
        ({"prune_at": 2, "prune": 0.0}, "only together with --prune"),
        (
            {"prune_at": 2, "prune_steps": 9, "epochs": 5},
            "The last pruning would come after epoch 10; allowed: up to 5 (--epochs), with fewer",
        ),
        ({"warmup_epochs": 50, "epochs": 2}, "--warmup-epochs is 50; allowed: below 2, the epochs"),
        ({"warmup_epochs": 2, "epochs": 2}, "of the run, or its rate is never reached."),
        (
            {"phases": (parse_phase("head:1:1"), parse_phase("all:9:1")), "warmup_epochs": 1},
            "--warmup-epochs is 1; allowed: below 1, the epochs of the shortest phase",
        ),
        (
            {
                "phases": (parse_phase("head:3:1"), parse_phase("all:9:1")),
                "warmup_epochs": 2,
                "epochs": 4,
            },
            "--warmup-epochs is 2; allowed: below 1",
        ),
        ({"from_checkpoint": "b.pt", "plateau_factor": 1.5}, "--plateau-factor is 1.5"),
    ],
)
def test_contradictions_are_refused(values: dict[str, object], needle: str) -> None:
    with pytest.raises(ValueError) as caught:
        config(**values)
    assert needle in str(caught.value)


def test_a_warmup_shorter_than_every_phase_is_allowed() -> None:
    phases = (parse_phase("head:1:1"), parse_phase("all:1:1"))
    assert config(phases=phases, epochs=9, warmup_epochs=0.5).warmup_epochs == 0.5
    # Pruning alone: no epoch, and no rate to reach.
    assert config(epochs=0, prune_at=0, warmup_epochs=0.5).total_epochs == 0


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("lr", inf, "--lr is inf; allowed: above 0, and finite."),
        ("weight_decay", inf, "--weight-decay is inf; allowed: 0 or more, and finite."),
        ("warmup_epochs", inf, "--warmup-epochs is inf; allowed: 0 or more, and finite."),
        (
            "clip_norm",
            inf,
            "--clip-norm is inf; allowed: above 0, and finite (1e9 is never reached, so that "
            "nothing is clipped).",
        ),
        ("lr", nan, "--lr is nan; allowed: above 0."),
        ("lr", 0.0, "--lr is 0.0; allowed: above 0."),
        ("batch_size", 1, "--batch-size is 1; allowed: 2 or more."),
        ("workers", -3, "--workers is -3; allowed: 0 or more."),
        ("rotation", 181.0, "--rotation is 181.0; allowed: 0 to 180."),
        # The same words on both sides of the end that is not allowed.
        ("prune", 1.2, "--prune is 1.2; allowed: 0 to below 1."),
        ("prune", 1.0, "--prune is 1.0; allowed: 0 to below 1."),
        ("ema", 1.2, "--ema is 1.2; allowed: 0 to below 1."),
        ("label_smoothing", 1.0, "--label-smoothing is 1.0; allowed: 0 to below 1."),
        ("crop_area_min", 0.0, "--crop-area-min is 0.0; allowed: above 0 to 1."),
    ],
)
def test_numbers_out_of_range_are_refused_with_the_range(
    name: str, value: float, said: str
) -> None:
    with pytest.raises(ValueError) as caught:
        config(**{name: value})
    assert str(caught.value) == said


def test_infinite_rates_end_before_a_run_begins(fertrain: Fertrain, tmp_path: Path) -> None:
    out = tmp_path / "run"
    fixed = ("train", "--data", "D", "--arch", "resnet101", "--out", out)
    for wrong in (("--lr", "inf"), ("--clip-norm", "inf"), ("--phase", "all:3:1e-3:inf")):
        ran = fertrain(*fixed, *wrong)
        assert ran.code == 2 and "above 0, and finite" in ran.err
        assert not out.exists()


@pytest.mark.parametrize("text", ["head", "head:1", "tail:1:1e-3", "all:x:1", "all:1:1:1:1"])
def test_a_wrong_phase_shows_the_form(text: str) -> None:
    with pytest.raises(ValueError, match="LAYERS:EPOCHS:LR"):
        parse_phase(text)


def test_a_phase_reads_what_it_writes() -> None:
    for text in ("head:2:0.001", "all:28:0.001:0.0001"):
        assert parse_phase(text).describe() == text


def test_a_plan_of_phases_and_prunings() -> None:
    plan = build_plan(
        config(
            phases=(parse_phase("head:2:1"), parse_phase("all:5:1")),
            prune=0.8,
            prune_steps=2,
            prune_every=2,
            recovery_epochs=1,
        )
    )
    assert [plan.phase_at(position) for position in range(7)] == [0, 0, 1, 1, 1, 1, 1]
    assert [(p.position, p.sparsity) for p in plan.prunings] == [
        (4, pytest.approx(0.7)),
        (6, pytest.approx(0.8)),
    ]
    assert [plan.next_change(position) for position in range(7)] == [2, 2, 4, 4, 6, 6, 7]
    assert plan.phase_length(1) == 5


def test_a_longer_run_stretches_the_last_phase() -> None:
    phases = (parse_phase("head:2:1"), parse_phase("all:5:1"))
    plan = build_plan(config(phases=phases, epochs=10, prune=0.0))
    assert plan.phase_length(0) == 2 and plan.phase_length(1) == 8 and plan.prunings == ()


def test_the_original_recipe_prunes_after_its_last_epoch_and_measures(
    fertrain: Fertrain, faces: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    smaller = ("--arch", "mobilenet_v3_small", "--weights", "none", "--input-size", 32)
    ran = fertrain(
        *("train", "--preset", "original", "--data", faces, *smaller, "--epochs", 2),
        *("--device", "cpu", "--out", out),
    )
    assert ran.code == 0, ran.err
    rows = list(csv.DictReader((out / "history.csv").open()))
    assert [(row["epoch"], row["stage"]) for row in rows] == [("1", "dense"), ("2", "dense")]
    metrics = json.loads((out / "metrics.json").read_text())
    pruning = metrics["pruning"]
    assert pruning["after_epoch"] == 2 and pruning["target"] == 0.2
    # What is measured, saved and reported is the pruned network, beside the one before.
    assert pruning["before"]["macro_f1"] == max(float(row["val_macro_f1"]) for row in rows)
    assert pruning["after"]["macro_f1"] == metrics["metrics"]["macro_f1"]
    best = read_checkpoint(out / "checkpoints" / "best.pt")
    assert best.sparsity["global"] == pytest.approx(0.2, abs=0.001)


def test_preset_config_and_options_from_the_command_line(
    fertrain: Fertrain, faces: Path, tmp_path: Path
) -> None:
    file = write(
        tmp_path / "c.toml",
        'preset = "recommended"\narch = "mobilenet_v3_small"\nweights = "none"\ninput-size = 32\n'
        'device = "cpu"\nphases = ["head:1:1e-3", "all:1:1e-3:1e-4"]\n',
    )
    out = tmp_path / "run"
    ran = fertrain(
        *("train", "--config", file, "--data", faces, "--batch-size", 8, "--out", out, "--json")
    )
    assert ran.code == 0, ran.err
    assert "phases head:1:0.001, then all:1:0.001:0.0001" in ran.err
    assert json.loads(ran.out)["epochs"] == 2
    again = read_config_file(out / "config.toml")
    assert again["batch_size"] == 8 and again["ema"] == 0.99 and again["input_size"] == 32
    wrong = fertrain("train", "--config", file, "--data", faces, "--class-weight", "none")
    assert wrong.code == 2 and "--class-weights" in wrong.err  # click's own suggestion
    write(file, "bathc_size = 3")
    wrong = fertrain("train", "--config", file)
    assert wrong.code == 2 and "did you mean 'batch_size'" in wrong.err
