"""Configurations from presets, TOML files and the command line, and back to TOML."""

from __future__ import annotations

import difflib
import json
import tomllib
import types
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

from fer_train.config.options import DEFAULTS, OPTIONS, TrainConfig, choices, flag, value_type
from fer_train.config.phase import Phase, parse_phase
from fer_train.contract.errors import NotFound

#: Keys of a file that are not fields of TrainConfig.
_PRESET = "preset"


#: How a file may spell a field as well: as on the command line.
_ALIASES = {
    option["flag"].removeprefix("--"): name for name, option in OPTIONS.items() if "flag" in option
}


#: Options of the commands that say nothing about a training.
_COMMAND_LINE_ONLY = frozenset({"out", "resume", "cache", "json", "quiet", "config", "help"})


class Inherited(NamedTuple):
    """What the checkpoint of ``--from`` says about a new run's options.

    Attributes:
        decided: its contract; other values are refused.
        proposed: in place of defaults.
    """

    decided: Mapping[str, Any]
    proposed: Mapping[str, Any]


def build_config(
    typed: Mapping[str, Any],
    *,
    preset: str | None = None,
    file: Path | None = None,
    base: Mapping[str, Any] = MappingProxyType({}),
    inherited: Callable[[Mapping[str, Any]], Inherited] | None = None,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> TrainConfig:
    """Merge defaults < preset < file < ``typed`` into one configuration.

    A preset named in the file applies unless ``preset`` names another. Options that exclude each
    other may come from different layers: the upper layer's ``phases`` replace the lower layer's
    ``finetune``, ``lr`` and ``epochs``, and the other way round; likewise ``--from`` and
    ``--weights``.

    Args:
        base: values in place of defaults, below the preset.
        inherited: given all options so far, ``--from`` among them, asks that checkpoint.
        complete: given all options, returns them with those that follow from the others.

    Raises:
        NotFound: no such file.
        ValueError: unknown keys, wrong types, values out of range, contradictions, or ``data`` or
            ``arch`` missing.
    """
    from_file = {} if file is None else read_config_file(file)
    preset = preset or from_file.pop(_PRESET, None)
    from_file.pop(_PRESET, None)
    merged = dict(base)
    for layer in (preset_values(preset) if preset else {}, from_file, typed):
        merged = _over(merged, layer)
    _refuse_two_starts(from_file, typed)
    if merged.get("from_checkpoint") is not None and inherited is not None:
        decided, proposed = inherited(merged)
        _refuse_contradiction({**from_file, **typed}, decided)
        merged = {**proposed, **merged, **decided}
    missing = [flag(name) for name in OPTIONS if name not in DEFAULTS and name not in merged]
    if missing:
        raise ValueError(f"{' and '.join(missing)} needed: as an option, or in --config FILE.")
    return TrainConfig(**complete(merged))


def preset_values(name: str) -> dict[str, Any]:
    """Return a preset's values, ready for TrainConfig.

    Raises:
        ValueError: no such preset.
    """
    if name not in PRESETS:
        raise ValueError(f"preset is {name!r}; allowed: {', '.join(PRESETS)}.")
    return _checked(PRESETS[name], f"preset {name}")


def read_config_file(file: Path) -> dict[str, Any]:
    """Read a TOML file of option names and values, perhaps with ``preset`` and ``[[phases]]``.

    Raises:
        NotFound: no such file.
        ValueError: not TOML, an unknown key (with a suggestion), or a value of the wrong type.
    """
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise NotFound(f"There is no configuration file {file}: {error.strerror}.") from error
    except ValueError as error:
        raise ValueError(f"{file} is not TOML: {error}.") from error
    preset = values.pop(_PRESET, None)
    if preset is not None and not isinstance(preset, str):
        raise ValueError(f"{file}: preset is {preset!r}; allowed: {', '.join(PRESETS)}.")
    checked = _checked(values, str(file))
    return checked | ({} if preset is None else {_PRESET: preset})


def write_toml(config: TrainConfig) -> str:
    """Return a file that `read_config_file` turns into the same configuration."""
    lines = ["# The resolved configuration; start another run with: fertrain train --config FILE"]
    for name, value in asdict(config).items():
        # TOML has no null: an absent key means "decide from the others" here too.
        if name != "phases" and value is not None:
            lines.append(f"{name} = {_toml_value(value)}")
    for phase in config.phases:
        lines += ["", "[[phases]]"]
        lines += [f"{k} = {_toml_value(v)}" for k, v in asdict(phase).items() if v is not None]
    return "\n".join(lines) + "\n"


def _refuse_contradiction(given: Mapping[str, Any], inherited: Mapping[str, Any]) -> None:
    wrong = [
        f"{flag(name)} is {given[name]}, the checkpoint's is {value}"
        for name, value in inherited.items()
        if given.get(name, value) != value
    ]
    if wrong:
        raise ValueError(
            f"--from keeps the model's contract: {'; '.join(wrong)}. Leave the option out, or use "
            "--weights FILE, which takes the weights without the contract."
        )


def _refuse_two_starts(from_file: Mapping[str, Any], typed: Mapping[str, Any]) -> None:
    for layer, harmless in ((typed, None), (from_file, DEFAULTS["weights"])):
        # RUN/config.toml has every option, so that beside its --from there is the default.
        if layer.get("from_checkpoint") and layer.get("weights", harmless) != harmless:
            raise ValueError(
                f"--from takes the weights of its checkpoint, and --weights {layer['weights']} "
                "would do nothing; allowed: one of them. --weights FILE takes a checkpoint's "
                "weights without its labels and pixels."
            )


def _over(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    if upper.get("phases"):
        for name in ("finetune", "lr", "epochs"):
            merged.pop(name, None)
    elif "finetune" in upper or "lr" in upper:
        merged.pop("phases", None)
    if upper.get("from_checkpoint"):
        merged.pop("weights", None)
        merged.pop("allow_class", None)
    elif "weights" in upper:
        merged.pop("from_checkpoint", None)
        merged.pop("allow_class", None)  # which was for another file
    if upper.get("logit_adjustment"):
        merged.pop("class_weights", None)
    elif upper.get("class_weights", "none") not in ("none", "auto"):
        merged.pop("logit_adjustment", None)
    return merged | dict(upper)


def _checked(values: Mapping[str, Any], source: str) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    keys: dict[str, str] = {}
    for key, value in values.items():
        name = _field_of(key, source)
        if name in keys:
            raise ValueError(
                f"{source}: {keys[name]!r} and {key!r} are the same option; allowed: one of them."
            )
        keys[name] = key
        if name == "phases":
            checked[name] = _phases(key, value, source)
        elif not _fits(value, value_type(name)):
            raise ValueError(f"{source}: {key} is {value!r}; allowed: {_describe_values(name)}.")
        else:
            checked[name] = value
    return checked


def _field_of(key: str, source: str) -> str:
    name = key.replace("-", "_")
    name = _ALIASES.get(name, name)
    fields_and_aliases = [*OPTIONS, *_ALIASES]
    if name in fields_and_aliases:
        return name
    if name in _COMMAND_LINE_ONLY:
        raise ValueError(
            f"{source}: {key!r} is about one call, not about the training; it belongs on the "
            f"command line, as --{key}."
        )
    near = difflib.get_close_matches(name, [*fields_and_aliases, _PRESET], n=1)
    suggestion = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"{source}: unknown key {key!r}; {suggestion}"
        "Keys are the options of fertrain train without the dashes in front."
    )


def _phases(key: str, value: object, source: str) -> tuple[Phase, ...]:
    items = [value] if isinstance(value, (str, Mapping)) else value
    if not isinstance(items, (list, tuple)):
        raise ValueError(
            f"{source}: {key} is {value!r}; allowed: text such as 'all:10:1e-4:1e-5', or a list "
            "of such."
        )
    return tuple(_phase(item, source) for item in items)


def _phase(item: object, source: str) -> Phase:
    if isinstance(item, str):
        return parse_phase(item)
    if isinstance(item, Mapping):
        allowed = get_type_hints(Phase)
        wrong = sorted(k for k, v in item.items() if k not in allowed or not _fits(v, allowed[k]))
        if not wrong and {"trains", "epochs", "lr"} <= set(item):
            return Phase(**item)
    raise ValueError(
        f"{source}: a phase is {item!r}; allowed: text such as 'all:10:1e-4:1e-5', or a table with "
        "trains ('head' or 'all'), epochs, lr and perhaps backbone_lr."
    )


def _fits(value: object, hint: Any) -> bool:
    if get_origin(hint) is Literal:
        return isinstance(value, str)  # which text, TrainConfig checks
    if get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, choice) for choice in get_args(hint))
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _describe_values(name: str) -> str:
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
    return ", ".join(choices(name)) or words[value_type(name)]


def _toml_value(value: object) -> str:
    if isinstance(value, float):
        return repr(value)
    # JSON's text, whole numbers and booleans are TOML's.
    return json.dumps(value, ensure_ascii=False)


#: The recipe that the single-script project this toolchain replaces states, done as described:
#: the backbone really frozen, the plateau really stepped, the pruned network measured. Class
#: weights come from the counts of the data at hand instead of a list in the source, and macro-F1
#: chooses the best epoch. As there, nothing trains after the pruning, and the crop may keep as
#: little as 8 % of a face (torchvision's default).
_ORIGINAL: Mapping[str, Any] = MappingProxyType(
    {
        "arch": "resnet152",
        "weights": "IMAGENET1K_V1",
        "input_size": 48,
        "color": "gray",
        "normalize": "imagenet",
        "finetune": "head",
        "epochs": 100,
        "batch_size": 32,
        "lr": 1e-4,
        "weight_decay": 1e-5,
        "clip_norm": 1.0,
        "schedule": "plateau",
        "patience": 5,
        "plateau_factor": 0.1,
        "select": "macro_f1",
        "class_weights": "inverse",
        "crop_area_min": 0.08,
        "crop_ratio_max": 4 / 3,
        "rotation": 10.0,
        "translation": 0.1,
        "flip": 0.5,
        "brightness": 0.2,
        "contrast": 0.2,
        # It jittered images that were grey already, where saturation does nothing.
        "saturation": 0.0,
        "prune": 0.2,
        "prune_scope": "layer",
        "recovery_epochs": 0,
    }
)


#: The best of the recipes measured on real faces (docs/recipes.md): all layers learn from given
#: weights at one rate with cosine decay, weights averaged, rare classes corrected mildly.
_RECOMMENDED: Mapping[str, Any] = MappingProxyType(
    {
        "arch": "efficientnet_b0",
        "weights": "default",
        "finetune": "all",
        "epochs": 30,
        "lr": 1e-3,
        "batch_size": 64,
        "schedule": "cosine",
        "warmup_epochs": 0.5,
        "early_stop": 8,
        "select": "macro_f1",
        "class_weights": "sqrt-inverse",
        "label_smoothing": 0.1,
        "ema": 0.99,
        "prune": 0.0,
    }
)


PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"original": _ORIGINAL, "recommended": _RECOMMENDED}
)
