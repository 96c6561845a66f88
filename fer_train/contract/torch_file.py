"""Read what ``torch.save`` wrote without running anything that it names.

`torch.load` with ``weights_only=True`` interprets the pickle itself and looks up every class in a
list: nothing is imported because a file says so. Three things are on the list here:

* torch's own tensors and containers;
* NumPy's arrays, numbers and dtypes, whose constructors take bytes and run no code of the file;
* `_Inert` in place of any other class. It keeps the attributes it is given and has no method of
  the class that it stands for, so the class is never imported, let alone called. A few harmless
  classes that trainers leave beside the weights are replaced so without asking; any other has to
  be allowed by name, because a file that names code deserves a look.

That is why ``--allow-class`` is safe even for ``eval``: what stands in for it does nothing.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_train.contract.errors import CheckpointCorrupt, CheckpointPickled
from fer_train.contract.file_kind import file_kind
from fer_train.contract.file_words import Reader, unusable

#: What stands beside weights and is nothing but values.
_HARMLESS = (
    "argparse.Namespace",
    "types.SimpleNamespace",
    "datetime.datetime",
    "datetime.date",
    "datetime.time",
    "datetime.timedelta",
    "datetime.timezone",
    "collections.defaultdict",
    *(
        f"pathlib{module}.{name}"
        for module in ("", "._local")  # where Python 3.13 has them
        for name in ("PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath", "Path")
    ),
    *(f"builtins.{name}" for name in ("dict", "list", "tuple", "int", "float", "str", "bool")),
    *(f"builtins.{name}" for name in ("frozenset", "slice", "range")),
)

_NAMED = re.compile(r"GLOBAL (\S+) was not")
_BLOCKED = re.compile(r"GLOBAL (\S+) whose module")  # os and sys, by torch, whatever is allowed
_MOST_CLASSES = 200  # a pickled network names some twenty

_SAVE_PLAIN = "torch.save(model.state_dict(), 'weights.pt')"
_PLAIN_WEIGHTS: Mapping[Reader, str] = {
    "ferconv": "give --arch, --labels, --preprocess",
    "weights": "give that file as --weights",
    "checkpoint": "start a training from them: fertrain train --weights weights.pt",
}


class _Inert:
    """Stands for a class of a file: takes what it is given, and does nothing."""

    def __new__(cls, *_: object, **__: object) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setitem__(self, key: object, value: object) -> None: ...

    def __setstate__(self, state: object) -> None:
        if isinstance(state, dict):
            self.__dict__.update(state)


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchFile:
    """What a file holds.

    Attributes:
        record: tensors and primitives, with inert objects where classes were allowed.
        allowed: the classes that the file names and the user allowed.
        unneeded: the classes that were allowed and that it does not name.
    """

    record: Any
    allowed: tuple[str, ...] = ()
    unneeded: tuple[str, ...] = ()


def parse_classes(text: str | None) -> tuple[str, ...]:
    """Return the names in ``"package.Class,other.Class"``, of ``--allow-class``."""
    return tuple(name.strip() for name in (text or "").split(",") if name.strip())


def unneeded_classes(names: Collection[str]) -> list[str]:
    """Return the sentence on classes that were allowed for nothing, if there are any."""
    return [f"--allow-class {', '.join(names)}: the file names no such class"] if names else []


def read_torch(path: Path | str, *, reader: Reader, allow: Collection[str] = ()) -> TorchFile:
    """Read a file on the CPU.

    Args:
        allow: full names of classes that may be in it, and are replaced by inert objects.

    Raises:
        NotFound: no such file.
        CheckpointCorrupt: empty, truncated or damaged.
        CheckpointPickled: it names other classes; the message names them.
        CheckpointError: a file of another kind.
    """
    file = Path(path)
    kind = file_kind(file)
    if kind not in ("torch", "legacy-torch"):
        raise unusable(file, kind, reader=reader)
    named: list[str] = []
    while True:
        try:
            record = _load(file, (*_HARMLESS, *named))
            break
        except pickle.UnpicklingError as error:
            _refuse_blocked(file, error)
            name = _class_named_in(error)
            if name is None or name in named or len(named) == _MOST_CLASSES:
                # An inert object cannot be a list, for one: then the classes are what is wrong.
                if named:
                    raise _refused(file, named, None, reader) from error
                raise _damaged(file) from error
            named.append(name)
        except Exception as error:  # whatever a damaged pickle makes an interpreter stumble over
            raise _damaged(file) from error
    if not set(named) <= set(allow):
        raise _refused(file, [name for name in named if name not in allow], record, reader)
    unneeded = tuple(name for name in allow if name not in named)
    return TorchFile(record=record, allowed=tuple(named), unneeded=unneeded)


def is_pickled_module(value: object) -> bool:
    """Tell whether an object of `read_torch` stands for a network that was pickled whole."""
    return isinstance(value, _Inert) and "_modules" in vars(value)


def _load(file: Path, inert: Collection[str]) -> Any:
    import torch

    stand_ins = [(type(name, (_Inert,), {}), name) for name in inert]
    with torch.serialization.safe_globals([*_numpy_globals(), *stand_ins]):
        return torch.load(file, map_location="cpu", weights_only=True)


def _numpy_globals() -> list[Any]:
    import numpy as np

    # Asked of NumPy itself, whose modules have moved; files have the old names and the new ones.
    scalar, array = np.float64(0).__reduce__()[0], np.empty(0).__reduce__()[0]
    functions = [
        (function, f"numpy.{core}.multiarray.{name}")
        for core in ("core", "_core")
        for function, name in ((scalar, "scalar"), (array, "_reconstruct"))
    ]
    dtypes = {type(np.dtype(code)) for code in np.typecodes["All"]}
    return [np.ndarray, np.dtype, *dtypes, *functions]


def _refuse_blocked(file: Path, error: pickle.UnpicklingError) -> None:
    found = _BLOCKED.search(str(error))
    if found is not None:
        raise CheckpointPickled(
            f"{file} calls {found[1]}, which runs commands of the system; it is refused.",
            hint="No checkpoint needs that: do not load this file with anything, and tell whoever "
            "gave it to you.",
        ) from error


def _class_named_in(error: pickle.UnpicklingError) -> str | None:
    found = _NAMED.search(str(error))
    if found is None:
        return None
    name = found[1]
    return name if "." in name else f"builtins.{name}"  # torch leaves that module out


def _damaged(file: Path) -> CheckpointCorrupt:
    return CheckpointCorrupt(
        f"{file} ({file.stat().st_size} bytes) is damaged or truncated: it cannot be read.",
        hint="Copy it again, or use the previous checkpoint of the run (last.pt).",
    )


def _refused(
    file: Path, names: Collection[str], record: object | None, reader: Reader
) -> CheckpointPickled:
    listed = ", ".join(names)
    plain = f"Save plain weights where the class is at hand: {_SAVE_PLAIN}, then "
    if record is None or _holds_module(record):
        return CheckpointPickled(
            f"{file} is a pickled Python object; loading it would run whatever code it carries, so "
            f"it is refused. It names {listed}.",
            hint=f"{plain}{_PLAIN_WEIGHTS[reader]}.",
        )
    if reader == "checkpoint":
        return CheckpointPickled(
            f"{file} holds objects of {listed}, which no checkpoint of fertrain does.",
            hint=f"{plain}{_PLAIN_WEIGHTS[reader]}.",
        )
    return CheckpointPickled(
        f"{file} holds more than weights: objects of {listed}. Loading them would run their code, "
        "so the file is refused.",
        hint=f"--allow-class {','.join(names)} reads the weights and puts empty objects in their "
        f"place; their code is not run, nor even imported.\n  Or: {plain}{_PLAIN_WEIGHTS[reader]}.",
    )


def _holds_module(record: object) -> bool:
    if isinstance(record, _Inert):
        return True
    return isinstance(record, dict) and any(map(is_pickled_module, record.values()))
