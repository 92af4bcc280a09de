"""The series of a page, listed once: figures name a series by its place in the list."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

_KEYS = ["PatientID", "StudyInstanceUID", "SeriesInstanceUID"]

Places = npt.NDArray[np.int64]


class SeriesIndex:
    """All series that tables tell of, sorted by patient and UID.

    Parameters
    ----------
    *tables : DataFrame
        Tables with PatientID, StudyInstanceUID and SeriesInstanceUID; of a series that several name, the first counts.
    """

    def __init__(self, *tables: pd.DataFrame) -> None:
        known = pd.concat([table[_KEYS].drop_duplicates("SeriesInstanceUID") for table in tables])
        known = known.drop_duplicates("SeriesInstanceUID").fillna("").astype(str)
        self._series = known.sort_values(["PatientID", "SeriesInstanceUID"], ignore_index=True)
        self._places = pd.Index(self._series["SeriesInstanceUID"])

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self._series)

    def places(self, series_instance_uids: pd.Series) -> Places:
        """Return the place of each SeriesInstanceUID, -1 where it is not known.

        Parameters
        ----------
        series_instance_uids : Series of str
            UIDs.
        """
        return np.asarray(self._places.get_indexer(pd.Index(series_instance_uids)), dtype=np.int64)

    def listed(self, drawn: Sequence[Places]) -> tuple[dict[str, list[str]], Places]:
        """Return the list that a page ships: only the series that it draws.

        Parameters
        ----------
        drawn : sequence of ndarray
            Places of the points of all figures.

        Returns
        -------
        columns : dict
            ``patient``, ``study`` and ``series``, each with one entry per series.
        places : ndarray
            The place in the list of each series of this index; -1 where it is not in it.
        """
        used = np.unique(np.concatenate([np.empty(0, np.int64), *drawn]))
        chosen = self._series.iloc[used]
        places = np.full(len(self._series), -1, dtype=np.int64)
        places[used] = np.arange(len(used))
        names = dict(zip(("patient", "study", "series"), _KEYS, strict=True))
        return {name: chosen[key].tolist() for name, key in names.items()}, places
