"""How long the stages of a piece of work take."""

import time


class Stopwatch:
    """Seconds by stage, in the order in which they ended.

    What is not ended by name, such as waiting, belongs to no stage.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.monotonic()

    def start(self) -> None:
        """Begin a stage now: what was before belongs to none."""
        self._since = time.monotonic()

    def end(self, stage: str) -> None:
        """End a stage; the next one begins.

        Parameters
        ----------
        stage : str
            Its name.
        """
        now = time.monotonic()
        self.seconds[stage] = round(self.seconds.get(stage, 0.0) + now - self._since, 3)
        self._since = now
