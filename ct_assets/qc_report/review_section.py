"""What reviewers say of a series, on its page; the part that changes when a verdict is given."""

import shlex
from pathlib import Path

import pyarrow as pa
from markupsafe import Markup

from ct_assets.qc_report.templating import environment
from ct_assets.review.digests import Judgeable, read_judgeable
from ct_assets.review.history import series_reviews
from ct_assets.review.section import review_rows
from ct_assets.review.state import State, standing
from ct_assets.review.verdict import Verdict
from ct_assets.settings import settings
from ct_assets.store.atomic import write_text
from ct_assets.store.paths import CollectionFolder

_START, _END = "<!-- reviews -->", "<!-- /reviews -->"
_CLASSES = {State.ACCEPTED: "pass", State.REJECTED: "fail", State.NEEDS_CORRECTION: "unmeasurable"}


def review_section(store: CollectionFolder, series_instance_uid: str) -> Markup:
    """Render the reviews of a series; a damaged history is said, and stops nothing.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    series_instance_uid : str
        The series.
    """
    verdicts: tuple[Verdict, ...] = ()
    now, problem = Judgeable(), ""
    try:
        verdicts = series_reviews(store, series_instance_uid)
        now = read_judgeable(store.series(series_instance_uid))
    except (OSError, ValueError, pa.ArrowException) as error:
        problem = str(error)
    state = standing(verdicts, now).state
    section = (
        environment()
        .get_template("reviews.html.j2")
        .render(
            problem=problem,
            rows=review_rows(verdicts, now),
            state=state,
            state_class=_CLASSES.get(state, "unevaluated"),
            collection=_name(store),
            uid=series_instance_uid,
        )
    )
    return Markup(section.strip())  # noqa: S704 (escaped by its template)


def _name(store: CollectionFolder) -> str:
    """Return what the command line calls the collection: its name, or the folder that annotate wrote it to."""
    return store.path.name if store.path.parent == Path(settings().home) else shlex.quote(str(store.path))


def refresh_page(store: CollectionFolder, series_instance_uid: str) -> None:
    """Bring the reviews on the page of a series up to date; the rest of the page stays as it is.

    Parameters
    ----------
    store : CollectionFolder
        The collection.
    series_instance_uid : str
        The series; nothing is done where it has no page yet.
    """
    page = store.series(series_instance_uid).qc_page
    if not page.is_file():
        return
    html = page.read_text(encoding="utf-8")
    before, start, rest = html.partition(_START)
    _, end, after = rest.partition(_END)
    if start and end:
        write_text(page, before + str(review_section(store, series_instance_uid)) + after)
