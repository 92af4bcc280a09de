"""The vertical scale of the body axis figure: slices and positions in mm from its top, and names that keep apart."""

import numpy as np
import numpy.typing as npt

from ct_assets.ct_nifti.record import CtRecord
from ct_assets.picture.planes import Orientation

TICK_MM = 50
"""Distance between the ticks of the position scale in mm."""


class AxisScale:
    """Turns slices and positions into mm from the top of the coronal image.

    Parameters
    ----------
    record : CtRecord
        ct.json of a series whose slices run along the body.
    orientation : Orientation
        How its grid is turned.
    """

    def __init__(self, record: CtRecord, orientation: Orientation) -> None:
        self.slices = orientation.shape[2]
        self.step = orientation.spacing_mm[2]
        self._upward = orientation.transform[2, 1] > 0
        positions = record.positions_mm
        order = np.argsort(positions)
        self._positions, self._indices = positions[order], order.astype(float)

    def of_slice(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Return the height of the centre of slices, given by (fractional) index in ct.nii.gz."""
        rank = np.asarray(index, dtype=float)
        from_feet = rank if self._upward else self.slices - 1 - rank
        return np.asarray((self.slices - 0.5 - from_feet) * self.step)

    def of_position(self, position_mm: float) -> float:
        """Return the height of a position along the slice normal."""
        return float(self.of_slice(np.interp(position_mm, self._positions, self._indices)))

    def ticks(self) -> tuple[tuple[float, int], ...]:
        """Return heights and positions of round positions."""
        first, last = self._positions[0], self._positions[-1]
        ticks = range(int(np.ceil(first / TICK_MM) * TICK_MM), int(last) + 1, TICK_MM)
        return tuple((self.of_position(tick), tick) for tick in ticks)


def spread(wanted: list[float], gap: float, limit: float) -> list[float]:
    """Move sorted heights apart until they keep a distance, each as near to where it was as that allows.

    Parameters
    ----------
    wanted : list of float
        Heights in ascending order.
    gap : float
        Smallest distance; smaller where they would not fit otherwise.
    limit : float
        Heights stay between 0 and this.

    Returns
    -------
    list of float
        New heights in the same order.
    """
    if not wanted:
        return []
    gap = min(gap, limit / len(wanted))
    clusters: list[tuple[float, list[float]]] = []
    for height in wanted:
        members = [height]
        clusters.append((_start(members, gap, limit), members))
        while len(clusters) > 1 and clusters[-2][0] + gap * len(clusters[-2][1]) > clusters[-1][0]:
            members = [*clusters[-2][1], *clusters[-1][1]]
            clusters[-2:] = [(_start(members, gap, limit), members)]
    return [start + gap * (rank + 0.5) for start, members in clusters for rank in range(len(members))]


def _start(members: list[float], gap: float, limit: float) -> float:
    length = gap * len(members)
    return float(np.clip(sum(members) / len(members) - length / 2, 0, limit - length))
