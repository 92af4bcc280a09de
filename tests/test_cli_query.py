"""The command query, and the view anatomy, on tables made by hand."""

import io
import json
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.store.paths import CollectionFolder
from ct_assets.store.tables import COHORT, LANDMARKS, REGIONS

NAMES = ["L1", "Th12", "Th8", "Th4", "lung_end"]
"""From the feet up; every 40 mm one."""


def uid(number: int) -> str:
    return f"1.2.3.{number}"


def add_series(folder: CollectionFolder, number: int, located: list[str], regions: dict[str, int]) -> None:
    series = folder.series(uid(number))
    series.path.mkdir(parents=True)
    rows = [
        (uid(number), name, "1", 10.0 * rank, name in located, 40.0 * rank if name in located else None,
         rank if name in located else None, f"{uid(number)}.{rank}" if name in located else None,
         None if name in located else "beyond the scored slices")
        for rank, name in enumerate(["lung_start", *NAMES])
    ]  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(LANDMARKS.columns))
    LANDMARKS.write(frame.astype({"slice_index": "Int64", "position_mm": float}), series.landmarks)
    total = sum(regions.values())
    rows = [(uid(number), name, "1", 0, n - 1, n, n / total) for name, n in regions.items()]
    REGIONS.write(pd.DataFrame(rows, columns=list(REGIONS.columns)), series.regions)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three series: a whole chest with abdomen, one that ends below the apex, one that shows nothing known."""
    made = CollectionFolder(tmp_path / "out")
    add_series(made, 1, ["lung_start", *NAMES], {"abdomen": 20, "chest": 60})
    add_series(made, 2, ["Th8", "Th4"], {"chest": 30})
    add_series(made, 3, [], {})
    cohort = COHORT.empty()
    for number in (1, 2):
        cohort.loc[number] = {
            **dict.fromkeys(COHORT.columns, None), "SeriesInstanceUID": uid(number), "PatientID": f"P{number}",
            "selected": True, "decided": True,
        }  # fmt: skip
    made.cohort.path.mkdir()
    COHORT.write(cohort, made.cohort.cohort)
    return made.path


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["query", *(str(argument) for argument in arguments)])
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.stdout if code == 0 else result.output


def ask(folder: Path, sql: str) -> list[str]:
    return pd.read_csv(io.StringIO(run(folder, sql, "--format", "csv"))).iloc[:, 0].tolist()


def test_search_by_anatomy(folder):
    between = "SELECT SeriesInstanceUID FROM anatomy WHERE list_has_all(located, ['Th4', 'Th12'])"
    assert ask(folder, between) == [uid(1)]
    no_apex = "SELECT SeriesInstanceUID FROM anatomy WHERE NOT list_contains(located, 'lung_end') ORDER BY ALL"
    assert ask(folder, no_apex) == [uid(2), uid(3)]
    abdomen = "SELECT SeriesInstanceUID FROM anatomy WHERE region_slices['abdomen'] >= 10"
    assert ask(folder, abdomen) == [uid(1)]


def test_the_view_has_one_row_per_series_with_everything(folder):
    rows = [json.loads(line) for line in run(folder, "FROM anatomy", "--format", "json").splitlines()]
    first, second, third = sorted(rows, key=lambda row: row["SeriesInstanceUID"])
    assert first["located"] == ["lung_start", *NAMES]
    assert first["position_mm"]["Th8"] == 120
    assert first["regions"] == ["abdomen", "chest"]
    assert first["region_ratio"] == {"abdomen": 0.25, "chest": 0.75}
    assert first["lung_extent_mm"] == 200
    assert first["PatientID"] == "P1"
    assert second["not_located"] == ["lung_start", "L1", "Th12", "lung_end"]
    assert second["reason"]["lung_end"] == "beyond the scored slices"
    assert second["lung_extent_mm"] is None
    assert (third["located"], third["regions"], third["position_mm"], third["PatientID"]) == ([], [], {}, None)


def test_csv_keeps_lists_whole_and_numbers_as_they_are(folder):
    table = pd.read_csv(
        io.StringIO(run(folder, "SELECT located, region_slices['abdomen'] AS n FROM anatomy ORDER BY SeriesInstanceUID",
                        "--format", "csv")), dtype=str, keep_default_na=False,
    )  # fmt: skip
    assert table["located"].tolist() == ["[lung_start, L1, Th12, Th8, Th4, lung_end]", "[Th8, Th4]", "[]"]
    assert table["n"].tolist() == ["20", "", ""]


@pytest.mark.parametrize("sql", ["COPY anatomy TO '{path}/x.csv'", "SELECT * FROM read_text('{path}/secret')"])
def test_other_files_are_neither_written_nor_read(folder, tmp_path, sql):
    (tmp_path / "secret").write_text("s3cret")
    output = run(folder, sql.format(path=tmp_path), code=1)
    assert "s3cret" not in output
    assert not (tmp_path / "x.csv").exists()


def test_without_sql_tables_and_columns_are_listed(folder):
    listing = run(folder)
    assert "anatomy: PatientID varchar, " in listing
    assert "landmarks: SeriesInstanceUID varchar, " in listing


def test_a_table_is_printed(folder):
    assert "1.2.3.1" in run(folder, "SELECT SeriesInstanceUID FROM anatomy")


def test_a_damaged_file_and_one_of_another_version_are_named_and_left_out(folder):
    made = CollectionFolder(folder)
    made.series(uid(2)).landmarks.write_bytes(b"PAR1 half of it")
    made.series(uid(3)).landmarks.write_bytes(made.series(uid(3)).regions.read_bytes())
    result = CliRunner().invoke(main, ["query", str(folder), "SELECT count(*) AS n FROM anatomy", "--format", "csv"])
    assert result.exit_code == 0
    assert result.stdout.split() == ["n", "1"]
    assert "1.2.3.2/landmarks.parquet: cannot be read" in result.stderr.replace("\n", "")
    assert "materialize bpr_json again" in result.stderr


@pytest.mark.parametrize("sql", ["SELEC 1", "SELECT nothing FROM anatomy", "FROM nowhere", "SELECT CAST('a' AS INT)"])
def test_wrong_sql_is_explained(folder, sql):
    assert "Error" in run(folder, sql, code=1)


def test_an_unknown_collection_is_named():
    assert "no collection with results" in run("nowhere", code=1)


def test_a_collection_without_results_of_body_part_regression_is_empty(tmp_path):
    (tmp_path / "series").mkdir()
    assert run(tmp_path, "SELECT count(*) AS n FROM anatomy", "--format", "csv").split() == ["n", "0"]
