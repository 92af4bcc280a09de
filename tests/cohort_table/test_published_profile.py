"""Profile published against the facts about the published query, written again in plain Python with decimals."""

import itertools
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cohort_table.cohorts import collection_of, selected
from tests.cohort_table.stacks import stack, table

NLST = {
    "profile": "published", "minimum_slices": 10, "slice_thickness_mm": [1.5, 3.5], "near_axial": True,
    "one_series_per_study": True,
}  # fmt: skip


def _published(rows_of_series, *, minimum, thickness):
    """The published NLST query by its facts: aggregates, one series per study, then the spacing."""
    passed = {}
    for uid, rows in rows_of_series.items():
        texts = {key: {"/".join(row[key]) for row in rows} for key in _TEXTS}
        thick = [float(row["SliceThickness"]) for row in rows]
        cosines = [abs(float(value)) for value in rows[0]["ImageOrientationPatient"]]
        if (
            len({row["SOPInstanceUID"] for row in rows}) == len(texts["ImagePositionPatient"])
            and len(texts["PixelSpacing"]) == 1
            and len(texts["ImageOrientationPatient"]) == 1
            and not any("LOCALIZER" in row["ImageType"] for row in rows)
            and len(rows) >= minimum
            and min(thick) >= thickness[0]
            and max(thick) <= thickness[1]
            and cosines[0] > max(cosines[1], cosines[2])
            and cosines[4] > max(cosines[3], cosines[5])
        ):
            passed[uid] = rows
    studies = {}
    for uid in sorted(passed):
        studies.setdefault(passed[uid][0]["StudyInstanceUID"], uid)
    return {uid for uid in studies.values() if _spaced(passed[uid])}


_TEXTS = ("ImagePositionPatient", "PixelSpacing", "ImageOrientationPatient")


def _spaced(rows):
    z = [Decimal(row["ImagePositionPatient"][2]).quantize(Decimal("0.1"), rounding=ROUND_DOWN) for row in rows]
    z.sort(reverse=True)
    differences = {one - other for one, other in itertools.pairwise(z)}
    if not differences or min(differences) == 0:
        return False
    return len(differences) <= 2 and Fraction(max(differences)) / Fraction(min(differences)) < 2


def _random_series(random, number):
    count = int(random.integers(8, 16))
    gap = random.choice([0.7, 1.25, 1.8, 2.0, 2.5])
    positions = gap * np.arange(count) + random.choice([0, 0.04, -31.37])
    defect = random.integers(0, 12)
    values = {"SliceThickness": str(random.choice([1.5, 2.5, 3.5, 1.49, 3.51]))}
    if defect == 0:
        positions[count // 2 :] += gap * random.choice([0.5, 0.9, 1.0, 2.0])
    if defect == 1:
        positions[3] = positions[4]
    if defect == 2:
        positions += random.normal(0, 0.03, count)
    if defect == 3:
        positions = np.cumsum(random.choice([1.2, 2.3], count))
    rows = stack(positions, uid=f"1.2.{number}", study=f"1.{random.integers(0, 6)}", **values)
    if defect == 4:
        rows[2]["ImageType"] = ["DERIVED", "PRIMARY", "LOCALIZER"]
    if defect == 5:
        rows[2]["PixelSpacing"] = ["0.70", "0.7"]
    if defect == 6:
        rows[2]["ImageOrientationPatient"] = ["1", *rows[2]["ImageOrientationPatient"][1:]]
    if defect == 7:
        for row in rows:
            row["ImageOrientationPatient"] = ["0.7", "0.71", "0", "-0.71", "0.7", "0"]
    return rows


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_it_selects_what_the_published_query_would(seed):
    random = np.random.default_rng(seed)
    series = {f"1.2.{number}": _random_series(random, number) for number in range(30)}
    expected = _published(series, minimum=10, thickness=(1.5, 3.5))
    cohort, _ = selected(table(*series.values()), collection_of(**NLST))
    assert set(cohort.loc[cohort["selected"], "SeriesInstanceUID"]) == expected


def test_its_defects_are_reproduced():
    alternating = stack(np.cumsum([1.2, 2.3] * 10), uid="1.2.1", study="1.1")
    missing = stack([2.0 * n for n in range(20) if n != 9], uid="1.2.2", study="1.2")
    gap_below_twice = stack(
        [*(2.0 * n for n in range(10)), *(2.0 * n + 1.9 for n in range(10, 20))], uid="1.2.3", study="1.3"
    )
    tilted = stack([2.0 * n for n in range(20)], uid="1.2.4", study="1.4", shift=[(0, 0.5 * n) for n in range(20)])
    cohort, _ = selected(table(alternating, missing, gap_below_twice, tilted), collection_of(profile="published"))
    told = cohort.set_index("SeriesInstanceUID")
    assert told["selected"].to_dict() == {"1.2.1": True, "1.2.2": False, "1.2.3": True, "1.2.4": True}
    assert told.loc["1.2.2", "reason"] == (
        "slice spacing is irregular: 2 distinct differences of truncated z, 2 to 4 mm"
    )


def test_the_series_of_a_study_is_taken_before_its_spacing_is_judged():
    irregular = stack([*(2.0 * n for n in range(19)), 99.0], uid="1.2.1")
    regular = stack([2.0 * n for n in range(20)], uid="1.2.2")
    cohort, flow = selected(table(irregular, regular), collection_of(profile="published", one_series_per_study=True))
    assert not cohort["selected"].any()
    assert flow["series_left"].tolist()[-3:] == [2, 1, 0]
    assert cohort["failed_criteria"].tolist() == [["regular_spacing"], ["one_series_per_study"]]


@pytest.mark.parametrize(
    ("chosen", "fit"), [({"position_decimals": 0}, True), ({"maximum_distinct_gaps": 3}, True), ({}, False)]
)
def test_its_thresholds_are_the_collections_own(chosen, fit):
    positions = np.cumsum([2.0, 2.1, 2.2] * 7)
    cohort, _ = selected(table(stack(positions)), collection_of(profile="published", **chosen))
    assert bool(cohort["selected"].iloc[0]) is fit
