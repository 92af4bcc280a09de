"""The history of verdicts: it only grows, and damage is named."""

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ct_assets.review import history
from ct_assets.review.history import DamagedReviewError, append_verdict, collection_reviews, series_reviews
from ct_assets.review.record import Opinion, record_verdict
from ct_assets.review.verdict import Decision, Verdict
from ct_assets.store.paths import CollectionFolder
from tests.review.small_store import (
    add_series,
    damage_reviews,
    uid,
)


def record(store: CollectionFolder, verdict: str = "reject", number: int = 1, **more: Any) -> Verdict:
    return record_verdict(store, "demo", uid(number), Opinion(Decision(verdict), **{"reviewer": "Jane Doe", **more}))


def test_the_history_only_grows(store: CollectionFolder) -> None:
    kept: dict[str, bytes] = {}
    for verdict in ("accept", "reject", "accept", "accept"):
        record(store, verdict)
        files = {path.name: path.read_bytes() for path in (store.reviews / uid(1)).iterdir()}
        assert kept.items() <= files.items()
        assert len(files) == len(kept) + 1
        kept = files
    assert [str(one.verdict) for one in series_reviews(store, uid(1))] == ["accept", "reject", "accept", "accept"]


def test_a_file_of_the_same_name_is_left_as_it_is(store: CollectionFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = record(store)
    [path] = (store.reviews / uid(1)).iterdir()
    before = path.read_bytes()
    monkeypatch.setattr(history.uuid, "uuid4", lambda: type("Same", (), {"hex": path.stem.split("-")[1]}))
    with pytest.raises(FileExistsError, match="nothing was written"):
        append_verdict(store, verdict.model_copy(update={"verdict": Decision.ACCEPT}))
    assert path.read_bytes() == before


def _write_many(root: Path, reviewer: str) -> None:
    for rank in range(25):
        opinion = Opinion(Decision.ACCEPT, reviewer, comment=str(rank))
        record_verdict(CollectionFolder(root), "demo", uid(1), opinion, now=datetime(2026, 1, 1, tzinfo=UTC))


def test_concurrent_writers_lose_nothing(store: CollectionFolder) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_many, args=(store.path, name)) for name in ("Ann", "Bob")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    verdicts = series_reviews(store, uid(1))
    assert sorted((one.reviewer, int(one.comment)) for one in verdicts) == [
        (name, rank) for name in ("Ann", "Bob") for rank in range(25)
    ]
    assert [path.name for path in (store.reviews / uid(1)).iterdir() if path.name.startswith(".")] == []


def test_a_damaged_file_is_named_and_hides_no_other_series(store: CollectionFolder) -> None:
    record(store)
    record(store, "accept")
    other = record(store, number=2)
    name = damage_reviews(store, uid(1))
    with pytest.raises(DamagedReviewError, match=f"review: .*{name} is damaged .*backup"):
        series_reviews(store, uid(1))
    reviews = collection_reviews(store)
    assert reviews.verdicts == {uid(2): (other,)}
    assert list(reviews.damaged) == [uid(1)]
    assert name in reviews.damaged[uid(1)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("20260101T000000.000000Z-0.json", b""),
        ("20260101T000000.000000Z-0.json", b"[]"),
        ("20260101T000000.000000Z-0.json", b"\xff\xfe"),
        ("verdict.json.bak", b"{}"),
    ],
)
def test_a_file_that_is_no_verdict_is_damage(store: CollectionFolder, name: str, content: bytes) -> None:
    record(store, "accept")
    (store.reviews / uid(1) / name).write_bytes(content)
    assert list(collection_reviews(store).damaged) == [uid(1)]


def test_a_verdict_on_another_series_or_of_another_version_is_damage(store: CollectionFolder) -> None:
    record(store)
    [path] = (store.reviews / uid(1)).iterdir()
    (store.reviews / uid(2)).mkdir()
    (store.reviews / uid(2) / path.name).write_bytes(path.read_bytes())
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    damaged = collection_reviews(store).damaged
    assert f"is about series {uid(1)}" in damaged[uid(2)]
    assert "schema_version" in damaged[uid(1)]


def test_what_a_killed_writer_left_is_no_verdict(store: CollectionFolder) -> None:
    record(store)
    (store.reviews / uid(1) / ".0123.partial.20260101T000000.000000Z-0.json").write_bytes(b'{"schema')
    assert len(series_reviews(store, uid(1))) == 1


def test_folders_that_are_no_series_are_named(store: CollectionFolder) -> None:
    record(store)
    (store.reviews / "old").mkdir()
    (store.reviews / "1.2.9").write_text("a file")
    reviews = collection_reviews(store)
    assert list(reviews.verdicts) == [uid(1)]
    assert set(reviews.damaged) == {"old", "1.2.9"}


def test_without_reviews_a_large_collection_costs_one_look(tmp_path: Path) -> None:
    store = CollectionFolder(tmp_path)
    assert collection_reviews(store).verdicts == {}
    (store.reviews).mkdir()
    assert collection_reviews(store).verdicts == {}


def test_thousands_of_verdicts_are_read(store: CollectionFolder) -> None:
    add_series(store, 3)
    verdict = record(store)
    text = verdict.model_dump_json()
    for number in range(1000):
        folder = store.reviews / uid(100 + number)
        folder.mkdir()
        for rank in range(2):
            (folder / f"20260101T000000.00000{rank}Z-0.json").write_text(text.replace(uid(1), uid(100 + number)))
    assert len(collection_reviews(store).verdicts) == 1001
