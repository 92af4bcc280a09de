"""What the names of Dagster's steps and jobs say: which collection, and which stage of it."""

import re
from dataclasses import dataclass

STAGES = ("ct_nifti", "organ_seg", "bpr_json", "shape_features", "dicom_seg", "dicom_sr", "qc_report")
"""Assets of a series, in pipeline order."""

COHORT_ASSETS = ("cohort_table", "sr_validation", "cohort_report")
"""Assets that describe a whole collection, and are not partitioned."""

_STEP = re.compile(
    rf"(?P<collection>[a-z0-9_]+?)_+(?:\d{{4}}_+)?(?P<stage>{'|'.join((*STAGES, *COHORT_ASSETS))})(?:_\w+)?"
)
_JOB = re.compile(r"(?P<collection>[a-z0-9_]+)_series(?:_\d{4})?_(?:annotate|judge)")


@dataclass(frozen=True)
class Place:
    """A collection and a stage of it; None where a name does not say."""

    collection: str | None = None
    stage: str | None = None


def place_of(step: str | None, job: str | None = None) -> Place:
    """Return the collection and the stage that a step works on.

    A step of a check, such as ``demo_ct_nifti_checks``, belongs to the stage of its asset.

    Parameters
    ----------
    step : str or None
        Name of the step, such as ``demo__ct_nifti``, or ``big__0003__ct_nifti`` of a shard.
    job : str or None
        Name of the job, which tells the collection where there is no step.
    """
    if step and (found := _STEP.fullmatch(step)):
        return Place(found["collection"], found["stage"])
    if job and (named := _JOB.fullmatch(job)):
        return Place(named["collection"])
    return Place()
