from __future__ import annotations

import pytest

from fer_train.contract.errors import LabelMismatch
from fer_train.contract.labels import (
    ALIASES,
    EMOTIONS,
    LABEL_ORDERS,
    canonical_name,
    describe_order,
    id_table,
    label_order,
    parse_custom_labels,
    validate_labels,
)


def test_other_names_are_taken_only_on_purpose() -> None:
    custom = parse_custom_labels("pain, engaged ,Sleepy")
    assert custom == ("pain", "engaged", "Sleepy")
    assert canonical_name(" SLEEPY ", custom=custom) == "Sleepy"
    assert validate_labels(["engaged", "happy", "PAIN"], custom=custom) == (
        "engaged", "happiness", "pain",
    )  # fmt: skip
    with pytest.raises(LabelMismatch, match="'engagd'") as caught:
        canonical_name("engagd", custom=custom)
    assert "Did you mean 'engaged'?" in str(caught.value.hint)
    with pytest.raises(LabelMismatch, match="'pain'") as caught:
        canonical_name("pain")
    assert "--custom-labels" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("happy,pain", "'happy', which is known"), ("Fear", "'Fear', which is known"),
        ("pain,,tired", "without a name"), ("pain,Pain", "twice"), ("", "without a name"),
        ("x" * 65, "65 characters"),
    ],
)  # fmt: skip
def test_custom_labels_that_are_none(text: str, match: str) -> None:
    with pytest.raises(LabelMismatch, match=match):
        parse_custom_labels(text)


def test_canonical_order_is_the_numeric_folders() -> None:
    assert describe_order(EMOTIONS) == (
        "0 anger, 1 disgust, 2 fear, 3 happiness, 4 sadness, 5 surprise, 6 neutral, 7 contempt"
    )


def test_affectnet_ids_map_to_the_published_permutation() -> None:
    # The remap EmotiEffLib ships between AffectNet's ids and alphabetical order.
    remap = {0: 6, 1: 7, 2: 5, 3: 4, 4: 1, 5: 0, 6: 2, 7: 3}
    folders_to_ids = {EMOTIONS.index(n): i for i, n in enumerate(LABEL_ORDERS["affectnet"])}
    assert {v: k for k, v in folders_to_ids.items()}[0] == EMOTIONS.index("neutral")
    alphabetical = LABEL_ORDERS["alphabetical"]
    seen = {alphabetical.index(n): i for i, n in enumerate(LABEL_ORDERS["affectnet"])}
    assert seen == {0: 6, 1: 7, 2: 5, 3: 4, 4: 1, 5: 0, 6: 2, 7: 3} == remap


@pytest.mark.parametrize("order", LABEL_ORDERS)
def test_every_order_names_distinct_emotions(order: str) -> None:
    names = label_order(order)
    assert len(set(names)) == len(names)
    assert set(names) <= set(EMOTIONS)


@pytest.mark.parametrize("alias, emotion", ALIASES.items())
def test_aliases_in_any_case(alias: str, emotion: str) -> None:
    assert canonical_name(f" {alias.upper()} ") == emotion


def test_a_typo_gets_a_suggestion() -> None:
    with pytest.raises(LabelMismatch, match="Did you mean 'happiness'"):
        canonical_name("hapiness")


def test_labels_keep_their_order() -> None:
    assert validate_labels(["Sad", "happy"]) == ("sadness", "happiness")


@pytest.mark.parametrize("labels", [["happy", "joy"], ["fear"], []])
def test_repeated_or_too_few_labels_are_refused(labels: list[str]) -> None:
    with pytest.raises(LabelMismatch):
        validate_labels(labels)


def test_unknown_order_lists_the_known() -> None:
    with pytest.raises(LabelMismatch, match="affectnet-folders, affectnet, alphabetical"):
        label_order("ckplus")


def test_an_older_name_of_a_numbering_is_understood() -> None:
    assert label_order("affectnet-ids") == label_order("affectnet")


def test_raf_db_counts_from_one() -> None:
    assert id_table("rafdb") == {
        1: "surprise",
        2: "fear",
        3: "disgust",
        4: "happiness",
        5: "sadness",
        6: "anger",
        7: "neutral",
    }
    assert id_table("fer2013")[0] == "anger"
