"""Many QC tables as one."""

from pathlib import Path

import pandas as pd
import pytest

from ct_assets.cohort_report.compact import compact
from ct_assets.store.tables import LANDMARKS, QC


def rows(series: str, values: list[float | None]) -> pd.DataFrame:
    frame = pd.DataFrame(
        [
            [
                "demo",
                "P" + series,
                "1.1",
                series,
                "dice",
                "2d",
                f"organ{i}",
                "dice",
                value,
                "1",
                0.5,
                None,
                "collection",
                "pass",
                "",
            ]
            for i, value in enumerate(values)
        ],
        columns=list(QC.columns),
    )
    return frame.astype({"value": float, "lower": float, "upper": float})


@pytest.fixture
def tables(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / series / "qc.parquet" for series in ("1.3", "1.2", "1.10")]
    for path in paths:
        QC.write(rows(path.parent.name, [0.8, None]), path)
    return paths


def test_all_rows_sorted(tables: list[Path]) -> None:
    table, unreadable = compact(QC, tables, "qc_report")
    assert unreadable == []
    assert list(table.columns) == list(QC.columns)
    assert table["SeriesInstanceUID"].tolist() == ["1.10", "1.10", "1.2", "1.2", "1.3", "1.3"]
    assert table["value"].isna().sum() == 3
    backwards, _ = compact(QC, tables[::-1], "qc_report")
    pd.testing.assert_frame_equal(table, backwards)


def test_result_fits_the_schema(tables: list[Path], tmp_path: Path) -> None:
    table, _ = compact(QC, tables, "qc_report")
    QC.write(table, tmp_path / "all.parquet")
    assert len(QC.read(tmp_path / "all.parquet")) == 6


def test_nothing(tmp_path: Path) -> None:
    table, unreadable = compact(QC, [tmp_path / "missing.parquet"], "qc_report")
    assert table.empty
    assert list(table.columns) == list(QC.columns)
    assert unreadable == []


def test_damaged_files_are_listed_and_left_out(tables: list[Path], tmp_path: Path) -> None:
    cut, other, rotten = (tmp_path / f"9.{i}" / "qc.parquet" for i in range(3))
    for path in (cut, other, rotten):
        path.parent.mkdir()
    cut.write_bytes(tables[0].read_bytes()[:-30])
    LANDMARKS.write(LANDMARKS.empty(), other)
    QC.write(rows("9.2", [0.1 * i for i in range(200)]), rotten)
    content = bytearray(rotten.read_bytes())
    content[4:1200] = b"\xff" * 1196
    rotten.write_bytes(content)

    table, unreadable = compact(QC, [cut, *tables, other, rotten], "qc_report")
    assert sorted(table["SeriesInstanceUID"].unique()) == ["1.10", "1.2", "1.3"]
    assert [entry.path for entry in unreadable] == [cut, other, rotten]
    assert "landmarks" in unreadable[1].reason
    assert str(cut) in str(unreadable[0])
