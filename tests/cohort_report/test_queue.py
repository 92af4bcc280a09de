"""The queue of findings to review, and what is left out of a cohort's figures."""

import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ct_assets.cohort_report.queue import COLUMNS, UNKNOWN, ReviewQueue, open_findings, review_queue
from ct_assets.cohort_report.rejected import RejectedRow, without_rejected
from ct_assets.cohort_report.report import make_report
from ct_assets.review.digests import Judgeable
from ct_assets.review.record import Opinion, record_verdict
from ct_assets.review.verdict import Decision
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import CHARACTERISTICS, COHORT, DISTRIBUTIONS, QC, SELECTION_FLOW, SHAPE_FEATURES
from tests.cohort_report.conftest import collection_of
from tests.review.small_store import (
    BODY_MODEL,
    add_series,
    damage_reviews,
    uid,
    write_body_part,
    write_label_map,
    write_qc,
)

HEART, AORTA, LUNG = (
    ("sphericity", "2d", "heart"),
    ("sphericity", "3d_fullres", "aorta"),
    ("lung_extent", BODY_MODEL, "lung"),
)


@pytest.fixture
def store(tmp_path: Path) -> CollectionFolder:
    """Series 1 fails twice, series 2 once and worst, series 3 not at all."""
    made = CollectionFolder(tmp_path / "demo")
    for number, failing in ((1, {HEART: 4.0, LUNG: 0.5}), (2, {AORTA: 13.0}), (3, {})):
        write_qc(add_series(made, number), number, failing)
    return made


def say(store: CollectionFolder, verdict: str, number: int, model: str = "", subject: str = "") -> None:
    record_verdict(store, "demo", uid(number), Opinion(Decision(verdict), "Jane Doe", model, subject, "a comment"))


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
    assert "qc.parquet: cannot be read" in queue.problems[0]


def test_an_empty_collection_has_an_empty_queue(tmp_path: Path) -> None:
    queue = review_queue(CollectionFolder(tmp_path))
    assert list(queue.findings.columns) == list(COLUMNS)
    assert (len(queue.findings), queue.summary()) == (0, "nothing to review")


def test_open_findings_of_a_series(store: CollectionFolder) -> None:
    assert open_findings(store.series(uid(1)).qc_table, (), Judgeable()) == 2
    assert open_findings(store.series(uid(9)).qc_table, (), Judgeable()) is None


def table(store: CollectionFolder) -> pd.DataFrame:
    return pd.concat([QC.read(store.series(uid(number)).qc_table) for number in (1, 2, 3)], ignore_index=True)


def features(store: CollectionFolder) -> pd.DataFrame:
    frames = [SHAPE_FEATURES.read(store.series(uid(number)).shape_features) for number in (1, 2, 3)]
    return pd.concat(frames, ignore_index=True)


def test_without_verdicts_the_table_is_the_same(store: CollectionFolder) -> None:
    qc = table(store)
    kept, rejected = without_rejected(qc, store)
    assert kept is qc
    assert rejected == []
    say(store, "accept", 1)
    say(store, "needs correction", 2)
    kept, rejected = without_rejected(qc, store)
    assert kept is qc
    assert rejected == []


def test_rejected_rows_are_left_out_and_listed(store: CollectionFolder) -> None:
    say(store, "reject", 1, "2d", "heart")
    say(store, "reject", 2, "3d_fullres")
    say(store, "reject", 3)
    qc = table(store)
    kept, rejected = without_rejected(qc, store)
    gone = qc.drop(kept.index)
    one, two, three = (gone[gone["SeriesInstanceUID"] == uid(number)] for number in (1, 2, 3))
    assert set(zip(one["model"], one["subject"], strict=True)) == {("2d", "heart")}
    assert set(two["model"]) == {"3d_fullres"}
    assert set(two["subject"]) == {"esophagus", "heart", "trachea", "aorta"}
    assert len(three) == (qc["SeriesInstanceUID"] == uid(3)).sum()
    assert [(row.patient_id, row.model, row.subject) for row in rejected] == [
        ("P1", "2d", "heart"),
        ("P2", "3d_fullres", ""),
        ("P3", "", ""),
    ]
    assert {row.reviewer for row in rejected} == {"Jane Doe"}
    assert {row.comment for row in rejected} == {"a comment"}
    assert all(row.reviewed_at for row in rejected)


def test_the_features_lose_the_same_and_the_expert_keeps_its_own(store: CollectionFolder) -> None:
    say(store, "reject", 1, subject="heart")
    say(store, "reject", 2)
    rows = features(store)
    kept, rejected = without_rejected(rows, store)
    gone = rows.drop(kept.index)
    of_one = gone[gone["SeriesInstanceUID"] == uid(1)]
    assert sorted(zip(of_one["model"], of_one["organ"], strict=True)) == [("2d", "heart"), ("3d_fullres", "heart")]
    assert "expert" in set(kept.loc[kept["SeriesInstanceUID"] == uid(1), "model"])
    assert uid(2) not in set(kept["SeriesInstanceUID"])
    assert [(row.patient_id, row.series_instance_uid, row.model) for row in rejected] == [
        ("", uid(1), "2d"),
        ("", uid(1), "3d_fullres"),
        ("", uid(2), ""),
    ]


def test_reopened_rejections_are_back_and_damaged_histories_are_out(store: CollectionFolder) -> None:
    say(store, "reject", 1)
    say(store, "accept", 2)
    write_label_map(store.series(uid(1)), "2d", "e" * 64)
    name = damage_reviews(store, uid(2))
    kept, rejected = without_rejected(table(store), store)
    assert set(kept["SeriesInstanceUID"]) == {uid(1), uid(3)}
    assert set(kept.loc[kept["SeriesInstanceUID"] == uid(1), "model"]) == {"2d"}, "the others are as they were rejected"
    *parts, row = rejected
    assert [(part.series_instance_uid, part.model) for part in parts] == [
        (uid(1), "3d_fullres"),
        (uid(1), "bpr_public"),
    ]
    assert isinstance(row, RejectedRow)
    assert (row.series_instance_uid, row.reviewer, row.reviewed_at) == (uid(2), "", None)
    assert name in row.comment


def test_without_reviews_the_table_itself_comes_back(store: CollectionFolder) -> None:
    qc = pd.concat([table(store)] * 350, ignore_index=True)
    qc["SeriesInstanceUID"] = [f"1.9.{number}" for number in np.arange(len(qc)) // 12]
    assert without_rejected(qc, store)[0] is qc


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


def with_cohort(store: CollectionFolder) -> None:
    """Write what cohort_table does, with all series selected."""
    rows = [
        {
            **dict.fromkeys(COHORT.columns, None),
            "PatientID": f"P{number}",
            "StudyInstanceUID": "1.2.3",
            "SeriesInstanceUID": uid(number),
            "selected": True,
            "decided": True,
        }
        for number in (1, 2, 3)
    ]
    COHORT.write(pd.DataFrame(rows, columns=list(COHORT.columns)), store.cohort.cohort)
    SELECTION_FLOW.write(SELECTION_FLOW.empty(), store.cohort.selection_flow)
    CHARACTERISTICS.write(CHARACTERISTICS.empty(), store.cohort.characteristics)


def test_the_report_of_a_cohort_leaves_out_what_is_rejected_and_its_table_does_not(store: CollectionFolder) -> None:
    with_cohort(store)
    collection = collection_of("nlst")
    assert make_report(collection, store).rejected == ()
    key = ("sphericity", "heart", "2d")
    assert counted(store)[key] == 3
    say(store, "reject", 1, "2d", "heart")
    say(store, "reject", 2)
    report = make_report(collection, store)
    assert [row.patient_id for row in report.rejected] == ["P1", "P2"]
    assert counted(store)[key] == 1
    assert counted(store)["sphericity", "heart", "3d_fullres"] == 2
    assert set(QC.read(store.cohort.qc_table)["SeriesInstanceUID"]) == {uid(1), uid(2), uid(3)}
    assert len(SHAPE_FEATURES.read(store.cohort.shape_features)) == len(features(store))
    html = store.cohort.report.read_text()
    listed, series = (html.split(f'id="{name}"')[1].split("</table>")[0] for name in ("rejected-table", "series-table"))
    assert (uid(1) in listed, uid(2) in listed, uid(3) in listed) == (True, True, False)
    assert (uid(1) in series, uid(2) in series, uid(3) in series) == (True, False, True)


def counted(store: CollectionFolder) -> dict[tuple[str, str, str], int]:
    found = DISTRIBUTIONS.read(store.cohort.distributions)
    return {(row.metric, row.subject, row.model): row.n for row in found.itertuples(index=False)}


def test_models_that_are_configured_no_longer_and_damaged_records_stop_no_report(store: CollectionFolder) -> None:
    with_cohort(store)
    store.series(uid(2)).ct_record.write_text("damaged")
    segmentation = {"model": "segthor", "configurations": ["2d"]}
    report = make_report(collection_of("nlst", organ_segmentation=segmentation), store)
    assert set(report.qc["model"]) == {"2d", "bpr_public"}
    assert set(SHAPE_FEATURES.read(store.cohort.shape_features)["model"]) == {"2d", "expert"}
    [damaged] = report.unreadable
    assert damaged.path == store.series(uid(2)).ct_record
    assert set(report.qc["SeriesInstanceUID"]) == {uid(1), uid(2), uid(3)}
