"""The eight emotions, their canonical order, their aliases, and foreign orders by name.

Labels travel by name. Three orders of the same eight emotions are in circulation and a silent
permutation is the field's commonest bug, so an integer id means nothing without one of the tables
below, and nothing here guesses which table applies.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from fer_train.contract.errors import LabelMismatch

#: Canonical order: the ids of the numeric AffectNet folders ``0..7`` (FER2013's order + contempt).
EMOTIONS: tuple[str, ...] = (
    "anger",
    "disgust",
    "fear",
    "happiness",
    "sadness",
    "surprise",
    "neutral",
    "contempt",
)

#: Emotions by ascending id, for every numbering of them met in the wild.
LABEL_ORDERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # Kaggle copies of AffectNet with folders train/0 … train/7.
        "affectnet-folders": EMOTIONS,
        # AffectNet's own annotation ids 0..7 (8 none, 9 uncertain, 10 no face are not emotions).
        "affectnet": (
            "neutral",
            "happiness",
            "sadness",
            "surprise",
            "fear",
            "disgust",
            "anger",
            "contempt",
        ),
        # torchvision's ImageFolder, HSEmotion, YOLO exports.
        "alphabetical": tuple(sorted(EMOTIONS)),
        # fer2013.csv: seven emotions, no contempt.
        "fer2013": EMOTIONS[:7],
        # RAF-DB numbers its seven emotions from 1.
        "rafdb": (
            "surprise",
            "fear",
            "disgust",
            "happiness",
            "sadness",
            "anger",
            "neutral",
        ),
    }
)

#: The first id of a numbering; 0 where it is not listed.
FIRST_IDS: Mapping[str, int] = MappingProxyType({"rafdb": 1})

#: Other names of the numberings.
_ORDER_ALIASES: Mapping[str, str] = MappingProxyType({"affectnet-ids": "affectnet"})

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "angry": "anger",
        "disgusted": "disgust",
        "afraid": "fear",
        "fearful": "fear",
        "scared": "fear",
        "happy": "happiness",
        "joy": "happiness",
        "joyful": "happiness",
        "sad": "sadness",
        "surprised": "surprise",
        # A misspelling that many published folders bear.
        "suprise": "surprise",
        "contemptuous": "contempt",
        "calm": "neutral",
        "neutrality": "neutral",
    }
)


def canonical_name(name: str) -> str:
    """Return the canonical emotion for ``name`` in any case, or for one of its aliases.

    Raises:
        LabelMismatch: not one of the eight emotions; the message suggests the nearest.
    """
    key = name.strip().lower()
    key = ALIASES.get(key, key)
    if key in EMOTIONS:
        return key
    near = difflib.get_close_matches(key, [*EMOTIONS, *ALIASES], n=1)
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    raise LabelMismatch(
        f"{name!r} is not one of the eight emotions.",
        hint=f"{suggestion}Allowed: {', '.join(EMOTIONS)} (and aliases such as happy, sad, angry).",
    )


def validate_labels(labels: Iterable[str]) -> tuple[str, ...]:
    """Return ``labels`` as canonical names in their given order.

    Raises:
        LabelMismatch: a name is unknown, repeated, or fewer than two classes remain.
    """
    names = tuple(canonical_name(label) for label in labels)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise LabelMismatch(f"The label list names {', '.join(repeated)} more than once: {names}.")
    if len(names) < 2:
        raise LabelMismatch(f"A classifier needs at least two labels; got {len(names)}: {names}.")
    return names


def label_order(name: str) -> tuple[str, ...]:
    """Return the emotions of the numbering called ``name``, by ascending id.

    Raises:
        LabelMismatch: no such numbering.
    """
    try:
        return LABEL_ORDERS[_ORDER_ALIASES.get(name, name)]
    except KeyError:
        raise LabelMismatch(
            f"There is no label order called {name!r}.",
            hint=f"Allowed: {', '.join(LABEL_ORDERS)}.",
        ) from None


def id_table(name: str) -> dict[int, str]:
    """Return id -> emotion of the numbering called ``name``.

    Raises:
        LabelMismatch: no such numbering.
    """
    return dict(enumerate(label_order(name), start=FIRST_IDS.get(name, 0)))


def describe_order(order: Iterable[str]) -> str:
    """Return ``"0 anger, 1 disgust, …"``, the table a person can check."""
    return ", ".join(f"{index} {name}" for index, name in enumerate(order))
