"""Whether the slice scores of a series are plausible: the outcomes of the checks."""

from typing import Literal

from ct_assets.bpr_json.record import BodyPartRecord

Outcome = Literal["pass", "fail", "not evaluated"]


def outcomes(record: BodyPartRecord) -> dict[str, Outcome]:
    """Judge the scores of a series.

    Nothing is changed by a failure: scores and regions are kept, and no slice order is reversed.

    Parameters
    ----------
    record : BodyPartRecord
        bpr_record.json.

    Returns
    -------
    dict
        Outcome by check. ``slices_scored``: body part regression could take the series; ``valid_z_spacing``: bpreg
        judges that the slope of the curve fits the slice spacing (within 28 %); ``z_ordering``: the scores rise
        towards the head, as the geometry says.
    """
    scored = record.reason is None  # else the flags are those of nothing, or of planes that are no slices
    flags = {
        "slices_scored": scored,
        "valid_z_spacing": record.valid_z_spacing if scored else None,
        "z_ordering": not record.reverse_z_ordering if scored and record.reverse_z_ordering is not None else None,
    }
    return {name: "not evaluated" if flag is None else "pass" if flag else "fail" for name, flag in flags.items()}
