"""Other people's libraries print; what they say goes to the debug log."""

import contextlib
import io
import logging
import threading
import warnings
from collections.abc import Iterator

_ONE_AT_A_TIME = threading.RLock()  # the standard output is that of all threads


@contextlib.contextmanager
def quiet(logger: logging.Logger, name: str) -> Iterator[None]:
    """Send the prints of a library to the debug log and hide its warnings.

    Parameters
    ----------
    logger : Logger
        Where to.
    name : str
        The library, for the log.
    """
    output = io.StringIO()
    with _ONE_AT_A_TIME, contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    if output.getvalue():
        logger.debug("%s: %s", name, output.getvalue().strip())
