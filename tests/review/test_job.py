"""The job record_review: in the code location, and run on an instance as the Launchpad does."""

from typing import Any

import dagster as dg
import pytest

from ct_assets.collection import load_collections
from ct_assets.definitions import defs
from ct_assets.qc_report.job import record_review
from ct_assets.review.history import series_reviews
from ct_assets.store.paths import CollectionFolder
from resources.series_store import SeriesStore
from tests.review.small_store import uid, written


def run(
    store: CollectionFolder, instance: dg.DagsterInstance, job: dg.JobDefinition | None = None, **config: Any
) -> dg.ExecuteInProcessResult:
    given = {"collection": "demo", "series": uid(1), "verdict": "accept", "reviewer": "Jane Doe", **config}
    return (job or defs.resolve_job_def("record_review")).execute_in_process(
        run_config={"ops": {"review": {"config": given}}},
        instance=instance,
        resources={"series_store": SeriesStore(root=str(store.path.parent))},
        raise_on_error=False,
    )


def observations(instance: dg.DagsterInstance, *path: str) -> list[dg.AssetObservation]:
    records = instance.fetch_observations(dg.AssetKey(path), 10).records
    found = [record.event_log_entry.asset_observation for record in records]
    return [one for one in found if one]


def test_the_job_is_in_the_code_location_once_and_says_what_to_fill_in() -> None:
    assert [job.name for job in defs.resolve_all_job_defs()].count("record_review") == 1
    job = defs.resolve_job_def("record_review")
    assert "no DICOM verification" in (job.description or "")
    fields = job.get_node_named("review").definition.config_schema.config_type.fields
    assert all(field.description for field in fields.values())
    assert {name for name, field in fields.items() if field.is_required} == {
        "collection",
        "series",
        "verdict",
        "reviewer",
    }
    assert "demo" in {collection.name for collection in load_collections()}


def test_a_verdict_is_recorded_and_observed_on_the_partition(store: CollectionFolder) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(store, instance, verdict="needs_correction", model="2d", subject="heart", comment="leaks")
        assert result.success
        [kept] = written(store, uid(1))
        assert (kept["verdict"], kept["model"], kept["subject"]) == ("needs correction", "2d", "heart")
        [seen] = observations(instance, "demo", "qc_report")
        assert seen.partition == uid(1)
        shown = {name: value.value for name, value in seen.metadata.items()}
        assert shown["verdict"] == "needs correction"
        assert (shown["scope"], shown["reviewer"], shown["comment"]) == ("heart by 2d", "Jane Doe", "leaks")
        assert shown["page"] == str(store.series(uid(1)).qc_page)
        assert run(store, instance).success
    assert len(series_reviews(store, uid(1))) == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"collection": "demmo"}, "there is no collection 'demmo'; there are: demo, nlst, nsclc_radiomics"),
        ({"series": "../../x"}, "it has those of 1.2.826.0.1.1, 1.2.826.0.1.2"),
        ({"model": "3d_lowres"}, "there is: 2d, 3d_fullres, bpr_public"),
        ({"subject": "liver"}, "allowed: esophagus, heart, trachea, aorta"),
        ({"reviewer": " "}, "the reviewer must be a name"),
    ],
)
def test_what_cannot_be_recorded_fails_once_with_the_remedy(
    store: CollectionFolder, config: dict[str, str], message: str
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(store, instance, **config)
        assert not result.success
        [failure] = [event for event in result.all_events if event.is_step_failure]
        assert failure.step_failure_data.user_failure_data is not None
        assert message in (failure.step_failure_data.user_failure_data.description or "")
        assert failure.step_failure_data.user_failure_data.label == "intentional-failure"
        assert observations(instance, "demo", "qc_report") == []
    assert not store.reviews.exists()


def test_a_verdict_that_is_none_is_refused_by_the_launchpad(store: CollectionFolder) -> None:
    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(dg.DagsterInvalidConfigError, match="got maybe"):
        run(store, instance, verdict="maybe")


def test_above_one_shard_the_observation_is_on_the_shards_key(store: CollectionFolder) -> None:
    demo = next(one for one in load_collections() if one.name == "demo").model_copy(update={"shards": 3})
    with dg.DagsterInstance.ephemeral() as instance:
        job = dg.Definitions(
            jobs=[record_review([demo])], resources={"series_store": SeriesStore(root="/nowhere")}
        ).resolve_job_def("record_review")
        assert run(store, instance, job).success
        shards = [observations(instance, "demo", f"{shard:04d}", "qc_report") for shard in range(3)]
        assert sum(map(len, shards)) == 1
