"""What the verdicts say of a thing: scope, currency, order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from ct_assets.review.digests import BODY_PART, Judgeable
from ct_assets.review.section import review_rows
from ct_assets.review.state import State, is_current, standing
from ct_assets.review.verdict import Decision, Verdict

NOW = Judgeable({"2d": "a", "3d_fullres": "b"}, "c", "bpr_public")
OTHER_2D = replace(NOW, label_maps={"2d": "other", "3d_fullres": "b"})
OTHER_BODY = replace(NOW, body_part="other")
START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def given(*what: tuple[str, str | None, str | None], at: Judgeable = NOW) -> list[Verdict]:
    """Verdicts a minute apart, each with decision, model and subject."""
    return [
        Verdict(
            collection="demo",
            series_instance_uid="1.2.3",
            model=model,
            subject=subject,
            verdict=Decision(decision),
            reviewer=f"reviewer {rank}",
            reviewed_at=START + timedelta(minutes=rank),
            judged=at.of(model, subject),
        )
        for rank, (decision, model, subject) in enumerate(what)
    ]


@pytest.mark.parametrize(
    ("model", "subject", "objects"),
    [
        (None, None, {"2d", "3d_fullres", BODY_PART}),
        ("2d", None, {"2d"}),
        ("2d", "heart", {"2d"}),
        (None, "heart", {"2d", "3d_fullres"}),
        ("bpr_public", None, {BODY_PART}),
        ("bpr_public", "lung_start", {BODY_PART}),
        (None, "chest", {BODY_PART}),
        (None, "slice scores", {BODY_PART}),
        ("2d", "lung_start", set()),
        ("bpr_public", "heart", set()),
        ("unknown", None, set()),
    ],
)
def test_a_part_is_judged_with_the_whole_object(model: str | None, subject: str | None, objects: set[str]) -> None:
    assert set(NOW.of(model, subject)) == objects


@pytest.mark.parametrize(
    ("decision", "state"),
    [("accept", State.ACCEPTED), ("reject", State.REJECTED), ("needs correction", State.NEEDS_CORRECTION)],
)
def test_each_verdict_gives_its_state(decision: str, state: State) -> None:
    verdicts = given((decision, None, None))
    assert standing(verdicts, NOW).state is state
    assert standing(verdicts, NOW, "2d", "heart") == standing(verdicts, NOW)
    assert standing(verdicts, NOW).withheld == (decision != "accept")


@pytest.mark.parametrize(
    ("scope", "covered", "not_covered"),
    [
        ((None, None), [(None, None), ("2d", None), ("2d", "heart"), ("bpr_public", "chest")], []),
        (("2d", None), [("2d", None), ("2d", "heart")], [(None, None), ("3d_fullres", "heart"), (None, "heart")]),
        (("2d", "heart"), [("2d", "heart")], [("2d", None), ("2d", "aorta"), ("3d_fullres", "heart"), (None, None)]),
        ((None, "heart"), [("2d", "heart"), ("3d_fullres", "heart")], [("2d", "aorta"), ("2d", None), (None, None)]),
        ((None, "chest"), [("bpr_public", "chest")], [("bpr_public", "abdomen"), ("2d", "heart")]),
    ],
)
def test_the_scope_of_a_verdict(
    scope: tuple[str | None, str | None],
    covered: list[tuple[str | None, str | None]],
    not_covered: list[tuple[str | None, str | None]],
) -> None:
    verdicts = given(("reject", *scope))
    assert [standing(verdicts, NOW, *one).state for one in covered] == [State.REJECTED] * len(covered)
    assert [standing(verdicts, NOW, *one).state for one in not_covered] == [State.UNREVIEWED] * len(not_covered)


def test_nothing_said_is_unreviewed() -> None:
    assert standing([], NOW) == standing([], Judgeable(), "2d", "heart")
    assert standing([], NOW).verdict is None


def test_the_latest_covering_verdict_wins_whichever_is_wider() -> None:
    narrow_last = given(("accept", None, None), ("reject", "2d", "heart"))
    assert standing(narrow_last, NOW, "2d", "heart").state is State.REJECTED
    assert standing(narrow_last, NOW, "2d", "aorta").state is State.ACCEPTED
    assert standing(narrow_last, NOW).state is State.ACCEPTED
    wide_last = given(("reject", "2d", "heart"), ("accept", None, None))
    assert standing(wide_last, NOW, "2d", "heart").state is State.ACCEPTED
    assert standing(wide_last, NOW, "2d", "heart").verdict is wide_last[1]


def test_other_content_reopens_what_was_judged_and_nothing_else() -> None:
    verdicts = given(("reject", "2d", None), ("accept", "3d_fullres", "heart"), ("reject", "bpr_public", "Th4"))
    assert standing(verdicts, OTHER_2D, "2d", "heart").state is State.REOPENED
    assert standing(verdicts, OTHER_2D, "3d_fullres", "heart").state is State.ACCEPTED
    assert standing(verdicts, OTHER_2D, "bpr_public", "Th4").state is State.REJECTED
    assert standing(verdicts, OTHER_BODY, "bpr_public", "Th4").state is State.REOPENED
    assert standing(verdicts, OTHER_BODY, "2d", "heart").state is State.REJECTED


@pytest.mark.parametrize(
    "changed",
    [
        OTHER_2D,
        OTHER_BODY,
        replace(NOW, body_part=None, body_part_model=None),
        replace(NOW, label_maps={**NOW.label_maps, "3d_lowres": "d"}),
        replace(NOW, label_maps={"2d": "a"}),
    ],
)
def test_a_verdict_on_the_series_is_reopened_by_anything_that_changes_comes_or_goes(changed: Judgeable) -> None:
    verdicts = given(("reject", None, None))
    assert standing(verdicts, changed).state is State.REOPENED
    assert standing(verdicts, NOW).state is State.REJECTED


def test_a_newer_verdict_on_the_new_content_closes_it_again() -> None:
    verdicts = [*given(("reject", "2d", None)), *given(("accept", "2d", None), at=OTHER_2D)]
    assert standing(verdicts, OTHER_2D, "2d", "heart").state is State.ACCEPTED
    assert standing(verdicts, NOW, "2d", "heart").state is State.REOPENED


def test_a_model_of_another_name_is_not_covered() -> None:
    renamed = replace(NOW, body_part_model="demo")
    verdicts = given(("accept", "bpr_public", None))
    assert standing(verdicts, renamed, "demo", "chest").state is State.UNREVIEWED
    assert not is_current(verdicts[0], renamed)


def test_the_lung_extent_is_wrong_where_one_of_its_ends_is_and_not_right_where_one_is() -> None:
    verdicts = given(("reject", "bpr_public", "lung_start"), ("accept", None, "lung_end"))
    assert standing(verdicts, NOW, "bpr_public", "lung").state is State.REJECTED
    assert standing(verdicts, NOW, "bpr_public", "lung_end").state is State.ACCEPTED
    taken_back = given(("reject", "bpr_public", "lung_start"), ("accept", "bpr_public", "lung_start"))
    assert standing(taken_back, NOW, "bpr_public", "lung").state is State.UNREVIEWED
    extent = given(("reject", None, "lung"))
    assert standing(extent, NOW, "bpr_public", "lung").state is State.REJECTED
    assert standing(extent, NOW, "bpr_public", "lung_start").state is State.UNREVIEWED


def test_what_was_rejected_stays_withheld_until_somebody_looks_at_what_took_its_place() -> None:
    rejected, accepted = given(("reject", None, None)), given(("accept", None, None))
    for now in (OTHER_2D, OTHER_BODY, replace(NOW, label_maps={"3d_fullres": NOW.label_maps["3d_fullres"]})):
        assert standing(rejected, now).state is State.REOPENED
        assert standing(rejected, now).withheld
        assert not standing(accepted, now).withheld
    assert standing(rejected, OTHER_2D, "3d_fullres", "heart").state is State.REJECTED, "as it was judged"
    assert standing(given(("reject", None, "heart")), OTHER_2D, "3d_fullres", "heart").state is State.REJECTED


def test_rows_to_show_say_whether_they_still_hold() -> None:
    rows = review_rows(given(("reject", None, "heart"), ("accept", "2d", None), ("accept", None, None)), OTHER_2D)
    assert [(row.scope, row.verdict, row.current) for row in rows] == [
        ("the series", "accept", False),
        ("2d", "accept", False),
        ("heart, all models", "reject", False),
    ]
    assert [row.current for row in review_rows(given(("reject", "3d_fullres", "heart")), OTHER_2D)] == [True]
    assert (rows[-1].when, rows[-1].reviewer) == ("2026-01-01 12:00 UTC", "reviewer 0")
