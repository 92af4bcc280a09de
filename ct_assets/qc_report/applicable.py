"""Which rules a collection has."""

from ct_assets.collection import Collection
from ct_assets.qc_report.finding import Rule


def rules_of(collection: Collection) -> list[Rule]:
    """Return the rules that can judge something in a collection.

    Parameters
    ----------
    collection : Collection
        The collection: without experts there is nothing to compare with them, and some rules can be switched off.
    """
    expert, qc = collection.expert, collection.qc
    off = {
        Rule.DICE: expert is None,
        Rule.HAUSDORFF: expert is None,
        Rule.LUNG_ENDS: expert is None or not expert.lungs,
        Rule.LUNG_EXTENT: qc.lung_extent_mm is None,
        Rule.REGIONS: qc.largest_region is None,
        Rule.Z_SPACING: qc.slope_ratio is None,
    }
    return [rule for rule in Rule if not off.get(rule, False)]
