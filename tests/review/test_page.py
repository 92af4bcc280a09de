"""Reviews on the page of a series, which follow every verdict."""

from ct_assets.qc_report.review_section import refresh_page, review_section
from ct_assets.qc_report.reviewed import review_series
from ct_assets.review.record import Opinion
from ct_assets.review.verdict import Decision
from ct_assets.store.paths import CollectionFolder
from tests.review.small_store import damage_reviews, uid, write_label_map

BEFORE, AFTER = "<html><body><h1>Patient</h1>", "<h2>Planes</h2></body></html>"


def page(store: CollectionFolder) -> str:
    return store.series(uid(1)).qc_page.read_text()


def with_page(store: CollectionFolder) -> None:
    store.series(uid(1)).qc_page.write_text(BEFORE + str(review_section(store, uid(1))) + AFTER)


def test_a_page_without_reviews_says_how_to_give_one(store: CollectionFolder) -> None:
    with_page(store)
    assert "Nobody has reviewed this series" in page(store)
    assert f"ct-assets review {store.path} {uid(1)} --verdict accept" in page(store)


def test_a_verdict_shows_at_once_and_nothing_else_changes(store: CollectionFolder) -> None:
    with_page(store)
    review_series(store, "demo", uid(1), Opinion(Decision.REJECT, "Jane <b>", "2d", "heart", "leaks <!-- /reviews -->"))
    assert page(store).startswith(BEFORE)
    assert page(store).endswith(AFTER)
    for part in ("heart by 2d", "reject", "leaks &lt;!-- /reviews --&gt;", "Jane &lt;b&gt;", "unreviewed"):
        assert part in page(store), part
    review_series(store, "demo", uid(1), Opinion(Decision.ACCEPT, "Joe Doe"))
    assert '<span class="chip pass">accepted</span>' in page(store)
    assert page(store).index("Joe Doe") < page(store).index("heart by 2d"), "the latest first"
    assert page(store).count('aria-label="Reviews"') == 1


def test_other_content_reopens_on_the_page(store: CollectionFolder) -> None:
    with_page(store)
    review_series(store, "demo", uid(1), Opinion(Decision.ACCEPT, "Joe Doe"))
    write_label_map(store.series(uid(1)), "2d", "9" * 64)
    refresh_page(store, uid(1))
    assert "reopened" in page(store)
    assert "no: what was judged is other content now" in page(store)


def test_a_damaged_history_is_said(store: CollectionFolder) -> None:
    with_page(store)
    review_series(store, "demo", uid(1), Opinion(Decision.REJECT, "Jane Doe"))
    name = damage_reviews(store, uid(1))
    refresh_page(store, uid(1))
    assert name in page(store)
    assert "Nobody has reviewed" not in page(store)


def test_a_series_without_page_or_with_a_page_of_an_earlier_version_is_no_trouble(store: CollectionFolder) -> None:
    review_series(store, "demo", uid(1), Opinion(Decision.ACCEPT, "Joe Doe"))
    assert not store.series(uid(1)).qc_page.exists()
    store.series(uid(1)).qc_page.write_text(BEFORE + AFTER)
    refresh_page(store, uid(1))
    assert page(store) == BEFORE + AFTER
