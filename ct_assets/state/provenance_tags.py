"""Code and data versions of restored materializations, so that a raised code version makes them stale as others."""

from collections.abc import Iterable, Mapping
from functools import cached_property

import dagster as dg
from dagster._core.definitions.data_version import (
    CODE_VERSION_TAG,
    DATA_VERSION_TAG,
    DataVersion,
    compute_logical_data_version,
    get_input_data_version_tag,
    get_input_event_pointer_tag,
)


class Versions:
    """The versions of the assets of a collection as the code of now gives them.

    A store does not say with which code version a file was made; the files of restored assets are readable by today's
    code, so that of today is noted.
    """

    def __init__(self, assets: Iterable[dg.AssetsDefinition]) -> None:
        specs = [spec for asset in assets for spec in asset.specs]
        self._inputs = {spec.key: [dep.asset_key for dep in spec.deps] for spec in specs}
        self._codes = {spec.key: spec.code_version for spec in specs}

    @cached_property
    def _data(self) -> dict[dg.AssetKey, DataVersion]:
        known: dict[dg.AssetKey, DataVersion] = {}

        def version(key: dg.AssetKey) -> DataVersion:
            if key not in known:
                inputs = {dep: version(dep) for dep in self._inputs[key]}
                code = self._codes[key]
                assert code is not None, f"{key.to_user_string()} has no code version"
                known[key] = compute_logical_data_version(code, inputs)
            return known[key]

        return {key: version(key) for key in self._inputs}

    def inputs(self, key: dg.AssetKey) -> list[dg.AssetKey]:
        """Return the assets that an asset is made from."""
        return self._inputs[key]

    def tags(self, key: dg.AssetKey, pointers: Mapping[dg.AssetKey, int]) -> dict[str, str]:
        """Return the tags of a materialization, as Dagster gives them in a run.

        Parameters
        ----------
        key : AssetKey
            What was materialized.
        pointers : mapping of AssetKey to int
            Event of the materialization of each input; one that has none leaves the tags out altogether.
        """
        inputs = self._inputs[key]
        code = self._codes[key]
        if code is None or any(dep not in pointers for dep in inputs):
            return {}
        tags = {CODE_VERSION_TAG: code, DATA_VERSION_TAG: self._data[key].value}
        for dep in inputs:
            tags[get_input_data_version_tag(dep)] = self._data[dep].value
            tags[get_input_event_pointer_tag(dep)] = str(pointers[dep])
        return tags
