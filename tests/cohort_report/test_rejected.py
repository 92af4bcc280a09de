"""What reviewers reject is left out of a cohort's figures, and listed."""

import numpy as np
import pandas as pd

from ct_assets.cohort_report.rejected import RejectedRow, without_rejected
from ct_assets.cohort_report.report import make_report
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import CHARACTERISTICS, COHORT, DISTRIBUTIONS, QC, SELECTION_FLOW, SHAPE_FEATURES
from tests.cohort_report.conftest import collection_of
from tests.review.small_store import (
    damage_reviews,
    say,
    uid,
    write_label_map,
)


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
