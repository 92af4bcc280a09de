"""Recording verdicts: what is allowed, and what is bound."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ct_assets.qc_report.reviewed import review_series
from ct_assets.review.digests import read_judgeable
from ct_assets.review.history import append_verdict, series_reviews
from ct_assets.review.record import Opinion, ReviewError, record_verdict
from ct_assets.review.state import State, standing
from ct_assets.review.verdict import Decision, Verdict
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.record import RecordError
from tests.review.small_store import (
    BODY_MODEL,
    uid,
    write_body_part,
    write_label_map,
    written,
)


def record(store: CollectionFolder, verdict: str = "reject", number: int = 1, **more: Any) -> Verdict:
    return record_verdict(store, "demo", uid(number), Opinion(Decision(verdict), **{"reviewer": "Jane Doe", **more}))


def state(store: CollectionFolder, model: str | None = None, subject: str | None = None, number: int = 1) -> State:
    return standing(series_reviews(store, uid(number)), read_judgeable(store.series(uid(number))), model, subject).state


def test_a_verdict_is_kept_as_it_was_given(store: CollectionFolder) -> None:
    verdict = record(
        store, "needs correction", model="2d", subject="heart", comment="  leaks into the liver\r\nsee 40 "
    )
    assert series_reviews(store, uid(1)) == (verdict,)
    [kept] = written(store, uid(1))
    assert kept["schema_version"] == 1
    assert (kept["model"], kept["subject"], kept["verdict"]) == ("2d", "heart", "needs correction")
    assert kept["comment"] == "leaks into the liver\nsee 40"
    assert kept["judged"] == {"2d": f"{1:064d}"}
    assert kept["reviewed_at"].endswith("Z")
    assert abs((datetime.now(UTC) - verdict.reviewed_at).total_seconds()) < 60


def test_a_moment_of_another_zone_is_kept_in_utc(store: CollectionFolder) -> None:
    moment = datetime.fromisoformat("2026-03-01T01:30:00+02:00")
    record_verdict(store, "demo", uid(1), Opinion(Decision.ACCEPT, "Jane"), now=moment)
    [path] = (store.reviews / uid(1)).iterdir()
    assert path.name.startswith("20260228T233000.000000Z-")
    assert written(store, uid(1))[0]["reviewed_at"] == "2026-02-28T23:30:00Z"


@pytest.mark.parametrize("reviewer", ["", "   ", "a\nb", "a\x00b", "a\x1b[31mb", "a\u202eb", "a\u2028b", "x" * 101])
def test_a_reviewer_without_a_name_that_can_be_shown_is_refused(store: CollectionFolder, reviewer: str) -> None:
    with pytest.raises(ReviewError, match="the reviewer must be a name"):
        record(store, reviewer=reviewer)
    assert not store.reviews.exists()


@pytest.mark.parametrize(
    "reviewer", ["../../etc/passwd", "<script>alert(1)</script>", "[red]x[/red]", "Ольга Ω", "O'Neil; DROP TABLE", "🙂"]
)
def test_a_name_is_text_and_no_path(store: CollectionFolder, tmp_path: Path, reviewer: str) -> None:
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(store.reviews)}
    assert record(store, reviewer=reviewer, comment=reviewer).reviewer == reviewer
    assert {path for path in tmp_path.rglob("*") if not path.is_relative_to(store.reviews)} == before
    assert series_reviews(store, uid(1))[0].comment == reviewer


def test_a_comment_with_control_characters_is_refused(store: CollectionFolder) -> None:
    with pytest.raises(ReviewError, match="the comment may have"):
        record(store, comment="\x1b]0;title\x07")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"model": "3d_lowres"}, r"nothing by a model '3d_lowres'; there is: 2d, 3d_fullres, bpr_public"),
        ({"model": "../2d"}, "there is: 2d, 3d_fullres, bpr_public"),
        (
            {"model": "2d", "subject": "chest"},
            "model 2d has no subject 'chest'; allowed: esophagus, heart, trachea, aorta",
        ),
        ({"model": BODY_MODEL, "subject": "heart"}, "model bpr_public has no subject 'heart'; allowed: C1, .*head"),
        ({"subject": "liver"}, "there is no subject 'liver'; allowed: esophagus, .*lung_end, .*chest"),
    ],
)
def test_what_is_unknown_is_refused_with_what_is_allowed(
    store: CollectionFolder, more: dict[str, str], message: str
) -> None:
    with pytest.raises(ReviewError, match=message):
        record(store, **more)
    assert not store.reviews.exists()


@pytest.mark.parametrize("series", ["1.2.3", "../series", "..", "", "1.2.826.0.1.1/../1", "x" * 1000])
def test_an_unknown_series_is_refused_with_those_there_are(store: CollectionFolder, series: str) -> None:
    with pytest.raises(
        ReviewError, match=r"no results of a series .*it has those of 1\.2\.826\.0\.1\.1, 1\.2\.826\.0\.1\.2$"
    ):
        record_verdict(store, "demo", series, Opinion(Decision.ACCEPT, "Jane"))
    assert not store.reviews.exists()


def test_many_series_are_not_all_named(store: CollectionFolder) -> None:
    for number in range(3, 10):
        store.series(uid(number)).path.mkdir()
    with pytest.raises(ReviewError, match="and 4 more"):
        record_verdict(store, "demo", "9.9", Opinion(Decision.ACCEPT, "Jane"))


def test_nothing_made_yet_cannot_be_judged(store: CollectionFolder) -> None:
    store.series(uid(3)).path.mkdir()
    with pytest.raises(ReviewError, match="materialize organ_seg first"):
        record(store, number=3)
    with pytest.raises(ReviewError, match="materialize bpr_json first"):
        record(store, number=3, subject="chest")


def test_a_damaged_object_cannot_be_judged(store: CollectionFolder) -> None:
    store.series(uid(1)).label_map_record("2d").write_text("{")
    with pytest.raises(RecordError, match=r"2d.json is damaged"):
        record(store)


def test_equal_content_made_again_keeps_the_verdict_and_other_content_reopens_it(store: CollectionFolder) -> None:
    folder = store.series(uid(1))
    record(store)
    record(store, model="2d", subject="heart")
    record(store, model=BODY_MODEL, subject="lung_start")
    scopes = [(None, None), ("2d", "heart"), (BODY_MODEL, "lung_start")]
    for model in ("2d", "3d_fullres"):
        write_label_map(folder, model, f"{1:064d}", seconds=99.0)
    write_body_part(folder, seconds=99.0)
    assert [state(store, *scope) for scope in scopes] == [State.REJECTED] * 3
    write_label_map(folder, "2d", "f" * 64)
    assert [state(store, *scope) for scope in scopes] == [State.REOPENED, State.REOPENED, State.REJECTED]
    record(store, "accept", model="2d")
    assert state(store, "2d", "heart") is State.ACCEPTED


@pytest.mark.parametrize("change", [{"height": 10.5}, {"score": 41.0}, {"chest": 0.7}])
def test_every_part_of_the_body_part_regression_enters_its_digest(
    store: CollectionFolder, change: dict[str, float]
) -> None:
    record(store, "accept", model=BODY_MODEL)
    write_body_part(store.series(uid(1)), **change)
    assert state(store, BODY_MODEL, "chest") is State.REOPENED


def test_a_verdict_comes_after_those_that_are_there_whatever_the_clock_says(store: CollectionFolder) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    record_verdict(store, "demo", uid(1), Opinion(Decision.ACCEPT, "Jane"), now=ahead)
    record_verdict(store, "demo", uid(1), Opinion(Decision.REJECT, "Joe"))
    assert [one.verdict for one in series_reviews(store, uid(1))] == [Decision.ACCEPT, Decision.REJECT]
    assert standing(series_reviews(store, uid(1)), read_judgeable(store.series(uid(1)))).withheld


def test_of_two_verdicts_at_one_moment_the_one_that_withholds_counts(store: CollectionFolder) -> None:
    verdict = record_verdict(store, "demo", uid(1), Opinion(Decision.REJECT, "Joe"))
    for _ in range(5):
        append_verdict(store, verdict.model_copy(update={"verdict": Decision.ACCEPT, "reviewer": "Jane"}))
    assert series_reviews(store, uid(1))[-1].verdict is Decision.REJECT


def test_a_page_that_cannot_be_refreshed_does_not_undo_the_verdict(store: CollectionFolder, caplog) -> None:
    page = store.series(uid(1)).qc_page
    page.write_bytes(b"\xff\xfe no text")
    assert review_series(store, "demo", uid(1), Opinion(Decision.ACCEPT, "Jane")).verdict is Decision.ACCEPT
    assert len(series_reviews(store, uid(1))) == 1
    assert "its page is not up to date" in caplog.text


def test_what_cannot_be_read_is_named_with_the_remedy(store: CollectionFolder) -> None:
    store.series(uid(1)).landmarks.write_bytes(b"damaged")
    with pytest.raises(RecordError, match=r"cannot be read .*; materialize it again"):
        record_verdict(store, "demo", uid(1), Opinion(Decision.ACCEPT, "Jane"))
