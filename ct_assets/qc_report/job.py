"""Job record_review: a verdict from the Launchpad of the web UI, which then shows among the events of the series."""

from collections.abc import Sequence
from enum import Enum

import dagster as dg
from pydantic import Field

from ct_assets.collection import Collection
from ct_assets.partitions import Scope, shard_of
from ct_assets.review.verdict import Decision, Verdict
from resources.series_store import SeriesStore


class VerdictChoice(Enum):
    """Verdicts by the names that the Launchpad asks for."""

    accept = Decision.ACCEPT
    reject = Decision.REJECT
    needs_correction = Decision.NEEDS_CORRECTION


class ReviewConfig(dg.Config):
    """What a reviewer says of a series."""

    collection: str = Field(description="Name of the collection, as in the asset keys.")
    series: str = Field(description="SeriesInstanceUID: the partition.")
    verdict: VerdictChoice = Field(description="accept, reject or needs_correction.")
    reviewer: str = Field(description="Who says so: your name. Accepting is no signature: see ct-assets sign-off.")
    model: str = Field(default="", description="Model that it is about, such as 3d_fullres; empty: all.")
    subject: str = Field(default="", description="Organ, landmark or region, such as heart; empty: all.")
    comment: str = Field(default="", description="Why, for those who read it later.")


def record_review(collections: Sequence[Collection]) -> dg.JobDefinition:
    """Return the job that records a reviewer's verdict.

    Parameters
    ----------
    collections : sequence of Collection
        Collections of the code location.
    """
    known = {collection.name: collection for collection in collections}

    @dg.op(name="review", description="Check the verdict, bind it to what was judged, and append it to the history.")
    def review(context: dg.OpExecutionContext, config: ReviewConfig, series_store: SeriesStore) -> None:
        import pyarrow as pa

        from ct_assets.qc_report.reviewed import review_series
        from ct_assets.review.record import Opinion, ReviewError

        try:
            collection = known.get(config.collection.strip())
            if collection is None:
                message = f"there is no collection {config.collection!r}; there are: {', '.join(known)}"
                raise ReviewError(message)
            store, uid = series_store.collection(collection.name), config.series.strip()
            opinion = Opinion(
                config.verdict.value, config.reviewer, config.model.strip(), config.subject.strip(), config.comment
            )
            verdict = review_series(store, collection.name, uid, opinion)
        except (OSError, ValueError, pa.ArrowException) as error:
            message = f"nothing was recorded: {error}"
            raise dg.Failure(message, allow_retries=False) from error
        context.log.info("series %s: %s: %s", uid, verdict.scope, verdict.verdict)
        key = Scope(collection, shard_of(collection, uid)).key("qc_report")
        context.log_event(
            dg.AssetObservation(
                key, partition=uid, metadata=_metadata(verdict, series_store.link(store.series(uid).qc_page))
            )
        )

    @dg.job(
        name="record_review",
        description="A reviewer's verdict on a series: open the Launchpad, fill in the config, launch. It shows among "
        "the events of the series' partition of qc_report. Accepting is no DICOM verification: see ct-assets sign-off.",
    )
    def record_review() -> None:
        review()

    return record_review


def _metadata(verdict: Verdict, page: dg.MetadataValue) -> dict[str, str | dg.MetadataValue]:
    from ct_assets.review.section import when_text

    return {
        "verdict": str(verdict.verdict),
        "scope": verdict.scope,
        "reviewer": verdict.reviewer,
        "reviewed_at": when_text(verdict),
        "comment": verdict.comment or "none",
        "page": page,
    }
