"""Tables of the series page: a row per metric or feature, a cell per model, and where the values lie among others."""

from dataclasses import dataclass

import pandas as pd
from markupsafe import Markup

from ct_assets.organs import EXPERT
from ct_assets.qc_report.comparison import Comparisons
from ct_assets.qc_report.spark import spark_box
from ct_assets.qc_report.wording import METRIC_TITLES, limits


@dataclass(frozen=True)
class Cell:
    """One value in a table of the page."""

    value: float | None
    outcome: str
    explanation: str


@dataclass(frozen=True)
class Row:
    """One metric of one subject, with a cell per model; limits that differ by model stand in the order of the cells."""

    metric: str
    unit: str
    limits: str
    cells: tuple[Cell | None, ...]
    spark: Markup | None


@dataclass(frozen=True)
class Extent:
    """In how many parts a model found an organ, and which sides of the image it touches."""

    parts: int
    at_border: tuple[str, ...]


def metric_rows(qc: pd.DataFrame, columns: list[str], comparisons: Comparisons) -> list[Row]:
    """Return a row per metric, with a cell per model.

    Parameters
    ----------
    qc : DataFrame
        QC rows of one subject.
    columns : list of str
        Models.
    comparisons : Comparisons
        What the values are compared with.
    """
    rows = []
    for metric in [name for name in METRIC_TITLES if (qc["metric"] == name).any()]:
        of_metric = qc[qc["metric"] == metric]
        cells = tuple(_cell(of_metric[of_metric["model"] == model]) for model in columns)
        judged = of_metric[of_metric["rule"] != ""]
        first = (judged if len(judged) else of_metric).iloc[0]
        of_model = {
            str(row["model"]): (_bound(row["lower"]), _bound(row["upper"])) for row in judged.to_dict("records")
        }
        pairs = [of_model.get(model, (None, None)) for model in columns if model != EXPERT]
        drawn = pairs[0] if len(set(pairs)) == 1 else (None, None)
        spark = _spark(comparisons, metric, str(first["subject"]), dict(zip(columns, cells, strict=True)), drawn)
        words = limits(*drawn) if len(set(pairs)) == 1 else " / ".join(limits(*pair) or "\u2013" for pair in pairs)
        rows.append(Row(METRIC_TITLES[metric], str(first["unit"]), words, cells, spark))
    return rows


def axis_rows(qc: pd.DataFrame, others: list[str], comparisons: Comparisons) -> list[tuple[str, Row]]:
    """Return rows about lungs, regions and slice scores, which one model measures.

    Parameters
    ----------
    qc : DataFrame
        QC table of a series.
    others : list of str
        Subjects of other tables.
    comparisons : Comparisons
        What the values are compared with.
    """
    rows = []
    for subject in dict.fromkeys(qc.loc[~qc["subject"].isin(others), "subject"]):
        of_subject = qc[qc["subject"] == subject]
        models = list(of_subject["model"].unique())
        rows += [(str(subject), row) for row in metric_rows(of_subject, models, comparisons)]
    return rows


def feature_rows(features: pd.DataFrame, organ: str, columns: list[str], comparisons: Comparisons) -> list[Row]:
    """Return a row per shape feature of an organ.

    Parameters
    ----------
    features : DataFrame
        Shape features of a series.
    organ : str
        Organ.
    columns : list of str
        Models.
    comparisons : Comparisons
        What the values are compared with.
    """
    of_organ = features[features["organ"] == organ]
    rows = []
    for feature in dict.fromkeys(of_organ["feature"]):
        of_feature = of_organ[of_organ["feature"] == feature]
        cells = []
        for model in columns:
            found = of_feature[of_feature["model"] == model]
            value = None if found.empty else _bound(found["value"].iloc[0])
            cells.append(None if found.empty else Cell(value, "", str(found["reason"].iloc[0] or "")))
        spark = _spark(comparisons, str(feature), organ, dict(zip(columns, cells, strict=True)))
        rows.append(Row(str(feature), str(of_feature["unit"].iloc[0]), "", tuple(cells), spark))
    return rows


def extents(features: pd.DataFrame, organ: str) -> dict[str, Extent]:
    """Return the extent of an organ by model.

    Parameters
    ----------
    features : DataFrame
        Shape features of a series.
    organ : str
        Organ.
    """
    rows = features[features["organ"] == organ].drop_duplicates("model")
    columns = (rows[name] for name in ("model", "components", "at_border"))
    return {str(model): Extent(int(parts), tuple(sides)) for model, parts, sides in zip(*columns, strict=True)}


def _cell(rows: pd.DataFrame) -> Cell | None:
    if rows.empty:
        return None
    row = rows.iloc[0]
    return Cell(_bound(row["value"]), str(row["outcome"]), str(row["explanation"]))


def _bound(value: float | None) -> float | None:
    return None if pd.isna(value) else float(str(value))


def _spark(
    comparisons: Comparisons,
    metric: str,
    subject: str,
    cells: dict[str, Cell | None],
    drawn: tuple[float | None, float | None] = (None, None),
) -> Markup | None:
    values = {model: cell.value for model, cell in cells.items() if cell is not None and cell.value is not None}
    comparison = comparisons.of(metric, subject, list(values))
    return spark_box(comparison, values, drawn) if comparison is not None and values else None
