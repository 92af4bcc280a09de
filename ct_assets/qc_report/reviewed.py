"""What becomes of a person's verdict: it is recorded, and whatever shows the state of the series follows."""

import logging

from ct_assets.qc_report.review_section import refresh_page
from ct_assets.review.record import Opinion, record_verdict
from ct_assets.review.verdict import Verdict
from ct_assets.store.paths import CollectionFolder

logger = logging.getLogger(__name__)


def review_series(store: CollectionFolder, collection: str, series_instance_uid: str, opinion: Opinion) -> Verdict:
    """Record a verdict, as the command line and the web UI do.

    Parameters
    ----------
    store, collection, series_instance_uid, opinion
        As in `ct_assets.review.record.record_verdict`, whose errors are raised here too.

    Returns
    -------
    Verdict
        As it was written.
    """
    verdict = record_verdict(store, collection, series_instance_uid, opinion)
    try:
        refresh_page(store, series_instance_uid)
    except (OSError, ValueError) as error:  # the verdict stands, and the next qc_report shows it
        logger.warning("series %s: the verdict is recorded, its page is not up to date: %s", series_instance_uid, error)
    return verdict
