"""Who is who."""

from __future__ import annotations

import pytest

from fer_convert.timeline.identity import identities, overlap
from fer_convert.timeline.rules import Rules
from fer_train.contract.pixels import Box

RULES = Rules()


def _box(x: float) -> Box:
    return Box(x, 0, 100, 100)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(_box(0), _box(0)) == 1
    assert overlap(_box(0), _box(50)) == pytest.approx(1 / 3)
    assert overlap(_box(0), _box(100)) == 0


def test_a_hidden_face_is_itself_up_to_the_timeout_and_no_longer() -> None:
    seen = identities([(0, [_box(0)]), (1000, [_box(10)]), (2001, [_box(10)])], RULES)
    assert [sighting.identities for sighting in seen] == [[1], [1], [2]]
    assert [sighting.lost for sighting in seen] == [[], [], [1]]
    assert [sighting.appeared for sighting in seen] == [[1], [], [2]]


def test_the_pair_that_overlaps_most_goes_first() -> None:
    # Either new box could be face 1; the nearer one is, and the other is left with face 2.
    seen = identities([(0, [_box(0), _box(30)]), (80, [_box(32), _box(20)])], RULES)
    assert seen[1].identities == [2, 1]


def test_equal_pairs_go_to_the_older_face_and_the_earlier_box() -> None:
    seen = identities([(0, [_box(0)]), (80, [_box(20), Box(-20, 0, 100, 100)])], RULES)
    assert seen[1].identities == [1, 2]


def test_time_that_jumps_back_is_another_recording() -> None:
    seen = identities([(5000, [_box(0)]), (4000, [_box(0)]), (2999, [_box(0)])], RULES)
    assert [sighting.identities for sighting in seen] == [[1], [1], [2]]
    assert seen[2].lost == [1]
