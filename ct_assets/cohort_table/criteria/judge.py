"""Judge: every criterion of the profile on every series, and which series of a study is taken, as one expression."""

import ibis
import ibis.expr.types as ir

from ct_assets.cohort_table.criteria.criterion import ONE_SERIES_PER_STUDY, Criterion, Settings
from ct_assets.cohort_table.criteria.published import PUBLISHED
from ct_assets.cohort_table.criteria.strict import STRICT
from ct_assets.selection_settings import PublishedSelection

JUDGED = "passes_"
"""Prefix of the columns with the outcome of each criterion."""

VERDICT = "verdict_"
"""Prefix of columns in which a source brings the outcome of a criterion without the measures behind it."""


def criteria(settings: Settings, *, without: frozenset[str] = frozenset()) -> tuple[Criterion, ...]:
    """Return the criteria that a collection asks for, in the order of the selection flow.

    Parameters
    ----------
    settings : StrictSelection or PublishedSelection
        The profile and its thresholds.
    without : frozenset of str
        Criteria that make no sense for the source, such as complete files where there are none.
    """
    profile = PUBLISHED if isinstance(settings, PublishedSelection) else STRICT
    return tuple(c for c in profile if c.applies(settings) and c.name not in without)


def judge(
    series: ir.Table,
    settings: Settings,
    *,
    clinical: ir.Table | None = None,
    without: frozenset[str] = frozenset(),
) -> ir.Table:
    """Judge series by their measures.

    Parameters
    ----------
    series : ibis Table
        Columns of `ct_assets.cohort_table.criteria.measures.MEASURES`, and `verdict_<name>` of some criteria.
    settings : StrictSelection or PublishedSelection
        The profile and its thresholds.
    clinical : ibis Table, optional
        One row per patient: `PatientID` and the boolean `in_cohort`; needed where the settings have a clinical table.
    without : frozenset of str
        Criteria to leave out.

    Returns
    -------
    ibis Table
        The measures; per criterion `passes_<name>`: true, false, or null where it is not evaluated; and `selected`:
        all are true or, where the series is not decided yet, none is false.
    """
    judged = _with_clinical(series, clinical)
    outcomes: dict[str, Criterion] = {}
    for criterion in criteria(settings, without=without):
        if criterion.name == ONE_SERIES_PER_STUDY:
            judged = _with_choice(judged, outcomes, settings)
        column, verdict = JUDGED + criterion.name, VERDICT + criterion.name
        passes = criterion.passes(judged, settings)
        judged = judged.mutate(**{column: passes.coalesce(judged[verdict]) if verdict in judged.columns else passes})
        outcomes[column] = criterion
    # Columns that are dropped together would be named in the SQL in an order that differs from process to process.
    kept = [name for name in judged.columns if name not in {"clinical", "chosen"}]
    return judged.select(*kept, selected=_left(judged, outcomes))


def _left(judged: ir.Table, outcomes: dict[str, Criterion]) -> ir.BooleanValue:
    """Whether a series is still in after some criteria: it may wait for headers that decide what is not evaluated."""
    passed = [
        judged[column].coalesce(~judged["decided"] if criterion.on_headers else ibis.literal(False))
        for column, criterion in outcomes.items()
    ]
    return ibis.and_(*passed) if passed else ibis.literal(True)


def _with_clinical(series: ir.Table, clinical: ir.Table | None) -> ir.Table:
    if clinical is None:
        return series.mutate(clinical=ibis.null("boolean"))
    patients = clinical.select(clinical_id=clinical["PatientID"], clinical=clinical["in_cohort"])
    return series.left_join(patients, series["PatientID"] == patients["clinical_id"]).drop("clinical_id")


def _with_choice(judged: ir.Table, outcomes: dict[str, Criterion], settings: Settings) -> ir.Table:
    """Choose one of the series of a study that are left: fit series first, then most slices, then the lowest UID.

    The published query took any; the lowest UID makes that repeatable.
    """
    left = judged.mutate(left=_left(judged, outcomes))
    order = [ibis.asc(left["SeriesInstanceUID"])]
    if not isinstance(settings, PublishedSelection):
        fit = ibis.and_(*(left[column].fill_null(False) for column in outcomes))
        order = [ibis.desc(fit), ibis.desc(left["instances"]), *order]
    rank = ibis.row_number().over(ibis.window(group_by=[left["StudyInstanceUID"], left["left"]], order_by=order))
    alone = left["StudyInstanceUID"].isnull()  # series without a study have no study in common
    return left.mutate(chosen=~left["left"] | alone | (rank == 0)).drop("left")
