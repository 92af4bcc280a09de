"""Every step and job of the real graphs names its collection and its stage."""

import dagster as dg
import pytest

from ct_assets.collection import load_collections
from ct_assets.definitions import collection_definitions, defs
from ct_assets.installation import resources
from ct_assets.step_name import COHORT_ASSETS, STAGES, Place, place_of


def test_every_step_of_every_collection_and_shard_has_its_place():
    demo = next(collection for collection in load_collections() if collection.name == "demo")
    sharded = demo.model_copy(update={"name": "organ_seg_2", "shards": 2})
    graphs = [defs, dg.Definitions.merge(collection_definitions(sharded), dg.Definitions(resources=resources()))]
    stages = set()
    for definitions in graphs:
        graph = definitions.resolve_asset_graph()
        for key in graph.get_all_asset_keys():
            node = graph.get(key).assets_def.node_def.name
            assert place_of(node) == Place(key.path[0], key.path[-1]), node
            stages.add(key.path[-1])
        for key in graph.asset_check_keys:
            node = graph.assets_def_for_key(key).node_def.name
            assert place_of(node) == Place(key.asset_key.path[0], key.asset_key.path[-1]), node
    assert stages == {*STAGES, *COHORT_ASSETS}


@pytest.mark.parametrize(
    ("job", "collection"),
    [
        ("demo_series_annotate", "demo"),
        ("my_series_0003_annotate", "my"),
        ("record_review", None),
        ("__ASSET_JOB", None),
    ],
)
def test_a_job_names_its_collection_where_it_has_one(job, collection):
    assert place_of(None, job) == Place(collection)
    assert place_of("review", job) == Place(collection)
