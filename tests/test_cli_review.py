"""The command review on a small store."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from ct_assets.cli.main import main
from ct_assets.settings import settings
from ct_assets.store.paths import CollectionFolder
from tests.review.small_store import BODY_MODEL, add_series, damage_reviews, uid, write_label_map, write_qc, written

HEART, LUNG = ("sphericity", "2d", "heart"), ("lung_extent", BODY_MODEL, "lung")
ACCEPT = ("--verdict", "accept", "--reviewer", "Jane Doe")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CollectionFolder]:
    """Two collections with a failing series each; that of `demo` is the worse."""
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path / "home"))
    settings.cache_clear()
    for name, value in (("demo", 7.0), ("nlst", 4.0)):
        folder = CollectionFolder(tmp_path / "home" / name)
        write_qc(add_series(folder, 1), 1, {HEART: value, LUNG: 0.9})
    yield CollectionFolder(tmp_path / "home" / "demo")
    settings.cache_clear()


def run(*arguments: str, code: int = 0, **environment: str) -> str:
    result = CliRunner().invoke(main, ["review", *arguments], env=environment or None)
    assert result.exit_code == code, result.output
    assert "Traceback" not in result.output
    return result.output


def test_a_verdict_is_recorded(store: CollectionFolder) -> None:
    part = ("--model", "2d", "--subject", "heart")
    said = run("demo", uid(1), "--verdict", "needs-correction", "--reviewer", "Jane Doe", *part)
    assert said == f"{uid(1)}: heart by 2d: needs correction by Jane Doe\n"
    [kept] = written(store, uid(1))
    assert (kept["collection"], kept["verdict"], kept["subject"]) == ("demo", "needs correction", "heart")


def test_the_folder_of_annotate_and_the_reviewer_of_the_environment_will_do(store: CollectionFolder) -> None:
    run(str(store.path), uid(1), "--verdict", "accept", CT_ASSETS_REVIEWER="Ann")
    assert written(store, uid(1))[0]["reviewer"] == "Ann"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ((), 2, "give one of --verdict, --queue and --history"),
        (("demo", uid(1), *ACCEPT, "--queue"), 2, "not --verdict and --queue"),
        (("demo", *ACCEPT), 2, "--verdict needs COLLECTION and SERIES"),
        (("demo", uid(1), "--verdict", "accept"), 2, "--verdict needs --reviewer"),
        (("demo", uid(1), "--verdict", "maybe", "--reviewer", "A"), 2, "needs-correction"),
        (("demo", uid(1), *ACCEPT, "--json"), 2, "--json and --limit go with"),
        (("demo", "--queue", "--model", "2d"), 2, "go with --verdict, not with --queue"),
        (("demo", uid(1), "--queue"), 2, "leave SERIES out"),
        (("--history",), 2, "--history needs a COLLECTION"),
        (("demo", "--history", "--limit", "3"), 2, "--limit goes with --queue"),
        (("demo", "--queue", "--limit", "0"), 2, "--limit"),
        (("nowhere", uid(1), *ACCEPT), 1, "no collection with results"),
        (("../..", uid(1), *ACCEPT), 1, "no collection with results"),
        (("demo", "1.2.3", *ACCEPT), 1, "it has those of 1.2.826.0.1.1"),
        (("demo", "../1", *ACCEPT), 1, "it has those of 1.2.826.0.1.1"),
        (("demo", "../1", "--history"), 1, "not a DICOM UID"),
        (("demo", uid(1), *ACCEPT, "--model", "3d"), 1, "there is: 2d, 3d_fullres, bpr_public"),
        (("demo", uid(1), *ACCEPT, "--subject", "liver"), 1, "allowed: esophagus, heart"),
        (("demo", uid(1), "--verdict", "accept", "--reviewer", ""), 1, "the reviewer must be a name"),
        (("demo", uid(1), "--verdict", "accept", "--reviewer", "a\x1bb"), 1, "without control characters"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_nothing_recorded(
    store: CollectionFolder, arguments: tuple[str, ...], code: int, message: str
) -> None:
    assert message in run(*arguments, code=code)
    assert not store.reviews.exists()


def test_the_queue_of_all_collections_is_worst_first(store: CollectionFolder) -> None:
    shown = run("--queue")
    lines = [line for line in shown.splitlines() if uid(1) in line]
    assert ["demo" in line for line in lines] == [True, False, True, False]
    assert "heart" in lines[0]
    assert "2.00" in lines[0]
    assert "demo: 2 failing findings to review in 1 series: 2 unreviewed" in shown
    assert "nlst: 2 failing findings to review in 1 series: 2 unreviewed" in shown


def test_the_queue_as_json_can_be_limited(store: CollectionFolder) -> None:
    everything = json.loads(run("--queue", "--json"))
    assert [row["collection"] for row in everything] == ["demo", "nlst", "demo", "nlst"]
    assert everything[0]["severity"] == 2.0
    assert everything[0]["page"].endswith(f"demo/series/{uid(1)}/qc.html")
    assert len(json.loads(run("demo", "--queue", "--json", "--limit", "1"))) == 1
    assert "the worst 1 of 2; more with --limit 2" in run("demo", "--queue", "--limit", "1")


def test_the_queue_shrinks_and_is_empty_at_the_end(store: CollectionFolder) -> None:
    run("demo", uid(1), *ACCEPT)
    assert run("demo", "--queue") == "demo: nothing to review\n"
    assert json.loads(run("demo", "--queue", "--json")) == []
    write_label_map(store.series(uid(1)), "2d", "e" * 64)
    assert "1 reopened" in run("demo", "--queue"), "what the other model made is as it was accepted"


def test_the_history_says_what_still_holds(store: CollectionFolder) -> None:
    hostile = "[red]<b>\n[/nothing]"
    run("demo", uid(1), *ACCEPT, "--comment", hostile)
    run("demo", uid(1), "--verdict", "reject", "--reviewer", "[bold]Bob", "--model", "3d_fullres")
    write_label_map(store.series(uid(1)), "2d", "e" * 64)
    shown = run("demo", "--history")
    assert shown == run("demo", uid(1), "--history")
    assert "[red]<b>" in shown
    assert "[bold]Bob" in shown
    first, second = (line for line in shown.splitlines() if uid(1) in line)
    assert "reject" in first
    assert "yes" in first
    assert "reopened" in second
    assert "2 verdicts on 1 series" in shown
    kept = json.loads(run("demo", uid(1), "--history", "--json"))
    assert [one["verdict"] for one in kept] == ["accept", "reject"]
    assert kept[0]["comment"] == hostile


def test_a_damaged_history_is_named_by_queue_and_history(store: CollectionFolder) -> None:
    run("demo", uid(1), *ACCEPT)
    name = damage_reviews(store, uid(1))
    for arguments, code in ((("demo", "--queue"), 3), (("demo", "--history"), 3), (("demo", uid(1), "--history"), 1)):
        assert name in run(*arguments, code=code)
    assert "2 unknown: damaged history" in run("demo", "--queue", code=3)


def test_without_any_results_there_is_no_queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CT_ASSETS_HOME", str(tmp_path))
    settings.cache_clear()
    assert "no collection with results" in run("--queue", code=1)
    settings.cache_clear()


def test_the_help_says_that_accepting_is_no_verification() -> None:
    shown = " ".join(run("--help").split())
    assert "Accepting is no DICOM verification" in shown
    assert "ct-assets sign-off" in shown
