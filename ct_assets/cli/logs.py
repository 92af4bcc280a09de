"""Logs of the command line: text for a person, or JSON for what collects logs."""

import logging
import warnings
from typing import Any

import click

from ct_assets.json_logs import JsonFormatter

TEXT, JSON = "text", "json"
"""What `--log-format` may be."""

MANAGED = {"python_logs": {"managed_python_loggers": ["ct_assets", "resources"], "python_log_level": "INFO"}}
"""Settings of a Dagster instance that gives what the rooms log the run and the step it is about."""

logger = logging.getLogger(__name__)


class Commands(click.Group):
    """Commands whose errors are records of the log where it is JSON, so that every line there can be read."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort):
            raise
        except click.ClickException as error:
            if not is_json(ctx):
                raise
            logger.error("%s", error.format_message())
            ctx.exit(error.exit_code)
        except Exception:
            if not is_json(ctx):
                raise
            logger.critical("a defect of ct-assets", exc_info=True)
            ctx.exit(1)


def is_json(ctx: click.Context | None = None) -> bool:
    """Tell whether the logs of this call are JSON.

    Parameters
    ----------
    ctx : Context, optional
        Of any command; default: of the one that is running.
    """
    found = ctx or click.get_current_context(silent=True)
    return found is not None and found.find_root().params.get("log_format") == JSON


def set_up(verbose: bool, log_format: str) -> None:
    """Show problems on the standard error, or everything that is done.

    Parameters
    ----------
    verbose : bool
        Everything.
    log_format : str
        text or json.
    """
    level = logging.INFO if verbose else logging.ERROR
    handler = logging.StreamHandler()
    handler.setLevel(level)  # Dagster lowers the level of loggers that it collects, not of what is shown
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s")
    handler.setFormatter(JsonFormatter() if log_format == JSON else text)
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("torch.utils.flop_counter").setLevel(logging.ERROR)
    logging.captureWarnings(log_format == JSON)
    # dagster.yaml has a log of its own, of which Dagster says that the way to set it up is new.
    warnings.filterwarnings("ignore", message=".*yaml-defined logging configuration")
