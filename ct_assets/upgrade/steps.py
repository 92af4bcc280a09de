"""Every step from one version of a table or record to the next: what it was, and whether a file can take it.

Raise the version of a table or record together with a step here: a function from the old content to the new where
nothing that the new version tells is lost, otherwise what the old file does not say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

Content = pa.Table | dict[str, Any]
"""What a file holds: rows, or a JSON object."""

Migration = Callable[[Any], Any]
"""A pure function from the old content to the new one."""


class NeedsComputationError(ValueError):
    """Content that cannot become that of the next version; the message says what the file does not tell."""


@dataclass(frozen=True)
class Step:
    """A step to the next version: ``migrate`` makes it, or ``lost`` says what the old file does not tell."""

    migrate: Migration | None = None
    lost: str = ""

    def __call__(self, content: Any) -> Any:
        """Return the content of the next version.

        Raises
        ------
        NeedsComputationError
            If it cannot be made from the old one.
        """
        if self.migrate is None:
            raise NeedsComputationError(self.lost)
        return self.migrate(content)


def references_as_lists(index: pa.Table) -> pa.Table:
    """Header index 2 -> 3: all series that an object refers to, not the first.

    Version 2 held the first reference of a SEG and none of an RTSTRUCT, so only an index of CT images alone says all
    that version 3 does.
    """
    others = pc.fill_null(pc.not_equal(index["Modality"], "CT"), fill_value=False)
    references = index["ReferencedSeriesInstanceUID"]
    if pc.any(others).as_py() or references.null_count < len(references):
        message = "which series a SEG or RTSTRUCT refers to beside the first is only in its header"
        raise NeedsComputationError(message)
    column = index.schema.get_field_index("ReferencedSeriesInstanceUID")
    return index.set_column(column, "ReferencedSeriesInstanceUID", pa.nulls(len(index), pa.list_(pa.string())))


STEPS: Mapping[tuple[str, int], Step] = {
    ("instances", 1): Step(lost="decimal strings as they were written, and the times of the files, are not in it"),
    ("instances", 2): Step(references_as_lists),
    ("cohort", 1): Step(lost="sizes, and criteria that could not be evaluated, are not in it"),
    ("selection_flow", 1): Step(lost="how many series each criterion excluded by itself is not in it"),
    ("shape_features", 1): Step(lost="which segmentation was measured is not in it"),
    ("shape_features", 2): Step(lost="parts and borders of the organs are only in the segmentations"),
    ("qc", 1): Step(lost="metrics and limits of today's rules are not in it"),
    ("bpr_record.json", 1): Step(lost="landmarks were located by a rule that is neither of today's"),
    ("manifest.json", 1): Step(lost="where the series came from, and how they were selected, is not in it"),
    ("complete.json", 1): Step(lost="what the series was judged by is not in it"),
    ("complete.json", 2): Step(lost="digests of what was made are not in it"),
}
"""Name and version of what was written before -> the step to the next version."""
