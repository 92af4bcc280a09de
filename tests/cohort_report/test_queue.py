"""The queue of findings to review."""

import os
import time
from pathlib import Path

import pandas as pd

from ct_assets.cohort_report.queue import COLUMNS, UNKNOWN, ReviewQueue, open_findings, review_queue
from ct_assets.review.digests import Judgeable
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import QC
from tests.review.small_store import (
    BODY_MODEL,
    damage_reviews,
    say,
    uid,
    write_body_part,
    write_label_map,
    write_qc,
)


def waiting(queue: ReviewQueue) -> list[tuple[str, str, str]]:
    return [tuple(row) for row in queue.findings[["patient", "subject", "state"]].to_numpy().tolist()]


def test_failing_findings_wait_worst_first(store: CollectionFolder) -> None:
    queue = review_queue(store)
    assert list(queue.findings.columns) == list(COLUMNS)
    assert waiting(queue) == [
        ("P2", "aorta", "unreviewed"),
        ("P1", "heart", "unreviewed"),
        ("P1", "lung", "unreviewed"),
    ]
    assert list(queue.findings["severity"]) == [5.0, 0.5, 0.25]
    worst = queue.findings.iloc[0]
    assert (worst["series"], worst["rule"], worst["model"], worst["value"]) == (
        uid(2),
        "sphericity",
        "3d_fullres",
        13.0,
    )
    assert worst["limits"] == "1\u20133"
    assert worst["page"] == str(store.series(uid(2)).qc_page)
    assert queue.summary() == "3 failing findings to review in 2 series: 3 unreviewed"
    assert queue.problems == ()


def test_what_was_judged_leaves_the_queue_and_what_needs_correction_stays(store: CollectionFolder) -> None:
    say(store, "accept", 2)
    say(store, "needs correction", 1, "2d", "heart")
    say(store, "reject", 1, BODY_MODEL)
    queue = review_queue(store)
    assert waiting(queue) == [("P1", "heart", "needs correction")]
    assert queue.summary() == "1 failing finding to review in 1 series: 1 needs correction"
    say(store, "accept", 1)
    assert review_queue(store).summary() == "nothing to review"


def test_other_content_brings_a_finding_back(store: CollectionFolder) -> None:
    say(store, "accept", 1)
    say(store, "accept", 2)
    write_label_map(store.series(uid(2)), "3d_fullres", "e" * 64)
    assert waiting(review_queue(store)) == [("P2", "aorta", "reopened")]
    write_body_part(store.series(uid(1)), height=11)
    assert {state for _, _, state in waiting(review_queue(store))} == {"reopened"}


def test_the_lung_extent_goes_with_a_rejected_end(store: CollectionFolder) -> None:
    say(store, "reject", 1, BODY_MODEL, "lung_end")
    assert [subject for _, subject, _ in waiting(review_queue(store))] == ["aorta", "heart"]


def test_a_damaged_history_or_object_hides_nothing(store: CollectionFolder) -> None:
    say(store, "accept", 1)
    say(store, "accept", 2)
    name = damage_reviews(store, uid(2))
    store.series(uid(1)).label_map_record("2d").write_text("{")
    queue = review_queue(store)
    assert waiting(queue) == [("P2", "aorta", UNKNOWN), ("P1", "heart", "reopened"), ("P1", "lung", "reopened")]
    assert any(name in problem for problem in queue.problems)
    assert any("2d.json is damaged" in problem for problem in queue.problems)


def test_the_table_of_the_cohort_counts_for_the_series_that_were_not_made_again(store: CollectionFolder) -> None:
    """cohort_report judges by the fences of the cohort; what qc_report wrote later is younger."""
    tables = [QC.read(store.series(uid(number)).qc_table) for number in (1, 2)]
    together = pd.concat(tables, ignore_index=True)
    together["outcome"] = "pass"
    QC.write(together, store.cohort.qc_table)
    now = time.time()
    os.utime(store.cohort.qc_table, (now + 10, now + 10))
    assert waiting(review_queue(store)) == []
    os.utime(store.series(uid(2)).qc_table, (now + 20, now + 20))
    assert waiting(review_queue(store)) == [("P2", "aorta", "unreviewed")]
    store.cohort.qc_table.write_bytes(b"PAR1")
    queue = review_queue(store)
    assert len(queue.findings) == 3
    assert len(queue.problems) == 1


def test_a_table_that_cannot_be_read_is_named(store: CollectionFolder) -> None:
    store.series(uid(2)).qc_table.write_bytes(b"no table")
    queue = review_queue(store)
    assert len(queue.findings) == 2
    assert "qc.parquet: is damaged" in queue.problems[0]
    assert "materialize qc_report again" in queue.problems[0]


def test_an_empty_collection_has_an_empty_queue(tmp_path: Path) -> None:
    queue = review_queue(CollectionFolder(tmp_path))
    assert list(queue.findings.columns) == list(COLUMNS)
    assert (len(queue.findings), queue.summary()) == (0, "nothing to review")


def test_open_findings_of_a_series(store: CollectionFolder) -> None:
    assert open_findings(store.series(uid(1)).qc_table, (), Judgeable()) == 2
    assert open_findings(store.series(uid(9)).qc_table, (), Judgeable()) is None


def test_what_was_rejected_by_eye_is_asked_for_again_though_no_rule_fails(store: CollectionFolder) -> None:
    write_qc(store.series(uid(1)), 1, {})
    write_qc(store.series(uid(2)), 2, {})
    write_qc(store.series(uid(3)), 3, {})
    say(store, "reject", 1, "2d", "aorta")
    say(store, "needs correction", 2)
    say(store, "accept", 3)
    assert review_queue(store).findings[["series", "rule", "state"]].to_numpy().tolist() == [
        [uid(2), "review", "needs correction"]
    ]
    for number in (1, 3):
        write_label_map(store.series(uid(number)), "2d", "e" * 64)
    found = review_queue(store).findings
    assert found[["series", "rule", "model", "subject", "state"]].to_numpy().tolist() == [
        [uid(1), "review", "2d", "aorta", "reopened"],
        [uid(2), "review", "", "", "needs correction"],
    ]
    assert set(found["limits"]) == {""}
    say(store, "accept", 1)
    say(store, "accept", 2)
    assert review_queue(store).findings.empty
