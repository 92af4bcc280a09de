"""The clinical table: which patients it keeps, and how it is refused."""

import pandas as pd
import pytest

from ct_assets.cohort_table.source.clinical import ClinicalTableError
from tests.cohort_table.cohorts import collection_of, selected
from tests.cohort_table.stacks import stack, table

REGULAR = [2.5 * number for number in range(30)]


def _kept(path, patients, values=(1,), column="can_scr") -> dict[str, bool]:
    series = [stack(REGULAR, uid=f"1.2.{number + 1}", patient=patient) for number, patient in enumerate(patients)]
    clinical = {"table": str(path), "patient_id": "pid", "column": column, "values": list(values)}
    cohort, _ = selected(table(*series), collection_of(clinical=clinical))
    return cohort.set_index("PatientID")["selected"].to_dict()


def test_numbers_are_numbers_however_they_are_written(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("pid,can_scr\n100,1\n200,1.0\n300,0\n400,\n")
    assert _kept(path, ["100", "200", "300", "400"]) == {"100": True, "200": True, "300": False, "400": False}
    frame = pd.DataFrame({"pid": [100.0, 200.0, 1e300], "can_scr": [1.0, float("nan"), float("inf")]})
    frame.to_parquet(tmp_path / "table.parquet")
    assert _kept(tmp_path / "table.parquet", ["100", "200"]) == {"100": True, "200": False}


def test_identifiers_are_text(tmp_path):
    path = tmp_path / "table.csv"
    rows = "".join(f"{number},1\n" for number in range(1000, 26_000))
    path.write_text(f"pid,can_scr\n{rows}LUNG1-001,1\n007,1\n")
    assert _kept(path, ["LUNG1-001", "007", "7"]) == {"LUNG1-001": True, "007": True, "7": False}


@pytest.mark.parametrize("written", ["true", "True"])
def test_truth_is_a_value(tmp_path, written):
    path = tmp_path / "table.csv"
    path.write_text(f"pid,screened\nA,{written}\nB,false\n")
    assert _kept(path, ["A", "B"], [True], "screened") == {"A": written == "true", "B": False}
    pd.DataFrame({"pid": ["A", "B"], "screened": [True, False]}).to_parquet(tmp_path / "table.parquet")
    assert _kept(tmp_path / "table.parquet", ["A", "B"], [True], "screened") == {"A": True, "B": False}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.csv", None, "does not exist; put it there, or change selection.clinical.table"),
        ("table.xlsx", b"x", "neither .csv nor .parquet; convert it"),
        ("table.csv", b"pid,other\n1,2\n", "has no column can_scr; it has pid, other: change selection.clinical"),
        ("table.parquet", b"x", "cannot be read"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_the_remedy(tmp_path, name, content, told):
    if content:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ClinicalTableError, match=told) as error:
        _kept(tmp_path / name, ["1"])
    assert name in str(error.value)


def test_a_table_in_bigquery_needs_a_source_there():
    with pytest.raises(ClinicalTableError, match="needs a source of kind bigquery"):
        _kept("bigquery://project.dataset.table", ["1"])
