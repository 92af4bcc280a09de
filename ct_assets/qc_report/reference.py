"""The published annotations as a reference: how their metrics are distributed, where that is from, and its bias."""

from functools import lru_cache
from importlib import resources
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from ct_assets.organs import EXPERT
from ct_assets.qc_report.distribution import Distribution


class ReferenceEntry(BaseModel):
    """One metric of one collection in `reference.yaml`.

    ``model`` is a configuration of nnU-Net, ``expert``, or empty where any model may be compared with it; ``p05`` and
    so on are quantiles of the published values.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    collection: Literal["NLST", "NSCLC-Radiomics"]
    metric: str
    subject: str
    model: str
    unit: str
    n: int
    minimum: float | None = None
    p05: float | None = None
    q1: float
    median: float
    q3: float
    p95: float | None = None
    maximum: float | None = None
    source: str
    bias: str

    @property
    def distribution(self) -> Distribution:
        """The quantiles."""
        return Distribution(self.n, self.q1, self.median, self.q3, self.p05, self.p95, self.minimum, self.maximum)


class _Reference(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    citation: str
    licence: str
    sources: dict[str, str]
    biases: dict[str, str]
    entries: tuple[ReferenceEntry, ...]


@lru_cache
def reference_entries() -> tuple[ReferenceEntry, ...]:
    """Return every entry, with its source and bias in words."""
    read = _read()
    return tuple(
        entry.model_copy(update={"source": read.sources[entry.source], "bias": read.biases[entry.bias]})
        for entry in read.entries
    )


def reference_citation() -> str:
    """Return what the reference was computed from, as a citation."""
    return _read().citation


def published(metric: str, subject: str, model: str) -> ReferenceEntry | None:
    """Return what a value is best compared with.

    Parameters
    ----------
    metric, subject, model : str
        As in the QC table.

    Returns
    -------
    ReferenceEntry or None
        The largest collection of the same model; where that model has none, of 3d_fullres, the best of the published
        ones. None for the expert's other than the expert's, and where nothing is published.
    """
    fitting = [entry for entry in reference_entries() if (entry.metric, entry.subject) == (metric, subject)]
    own = [entry for entry in fitting if entry.model in {model, ""}]
    others = [entry for entry in fitting if entry.model == "3d_fullres"] if model != EXPERT else []
    return max(own or others, key=lambda entry: entry.n, default=None)


@lru_cache
def _read() -> _Reference:
    text = resources.files("ct_assets.qc_report").joinpath("reference.yaml").read_text(encoding="utf-8")
    return _Reference.model_validate(yaml.safe_load(text))
