"""How far a fetch has come, counted by many threads."""

import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Progress:
    """How far a fetch has come; the totals are None until they are known of every series.

    Done are series of whatever outcome, objects that are complete, and bytes of objects that have arrived, be it now
    or in an earlier fetch.
    """

    series_done: int
    series_total: int
    objects_done: int
    objects_total: int | None
    bytes_done: int
    bytes_total: int | None


class Tally:
    """Counts what is done and reports it.

    Parameters
    ----------
    expected : iterable of (int or None, int or None)
        Number of objects of every series and their bytes together, as far as they are known beforehand.
    report : callable, optional
        Called with every change, never twice at a time.
    """

    def __init__(
        self, expected: Iterable[tuple[int | None, int | None]], report: Callable[[Progress], None] | None
    ) -> None:
        self._report = report
        self._lock = threading.Lock()
        self._unknown = self._objects = self._bytes = series = 0
        for objects, size in expected:
            series += 1
            if objects is None or size is None:
                self._unknown += 1
            else:
                self._objects += objects
                self._bytes += size
        self._progress = Progress(0, series, 0, None, 0, None)

    def known(self, expected: tuple[int | None, int | None], sizes: dict[str, int]) -> None:
        """Take note of the objects of a series.

        Parameters
        ----------
        expected : tuple of (int or None, int or None)
            What was known of it beforehand.
        sizes : dict
            Bytes of every object.
        """
        if None in expected:
            with self._lock:
                self._unknown -= 1
                self._objects += len(sizes)
                self._bytes += sum(sizes.values())

    def add(self, *, series: int = 0, objects: int = 0, size: int = 0) -> None:
        """Count what is done, or take back what was.

        Parameters
        ----------
        series, objects : int
            How many more.
        size : int
            How many more bytes.
        """
        with self._lock:
            before = self._progress
            self._progress = replace(
                before,
                series_done=before.series_done + series,
                objects_done=before.objects_done + objects,
                objects_total=None if self._unknown else self._objects,
                bytes_done=before.bytes_done + size,
                bytes_total=None if self._unknown else self._bytes,
            )
            if self._report:
                self._report(self._progress)
