"""Other people's libraries print; what they say goes to the debug log."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator


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
    with contextlib.redirect_stdout(output), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    if output.getvalue():
        logger.debug("%s: %s", name, output.getvalue().strip())
