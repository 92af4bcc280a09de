"""The Jinja2 environment of the pages: escaping on, unknown names are errors, style and chips shared."""

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from ct_assets.qc_report.wording import file_size, number, unit_text

CHIP_CLASSES = {"pass": "pass", "fail": "fail", "not measurable": "unmeasurable", "not evaluated": "unevaluated"}
"""CSS class of each outcome."""


def environment(*packages: str) -> Environment:
    """Return an environment for the templates of some packages.

    Parameters
    ----------
    *packages : str
        Packages that have a folder ``templates``; this one's come last.

    Returns
    -------
    Environment
        With filters ``number``, ``unit``, ``size`` and ``chip``.
    """
    loaders = [PackageLoader(package) for package in (*packages, "ct_assets.qc_report")]
    result = Environment(
        loader=ChoiceLoader(loaders), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    result.filters.update(number=number, unit=unit_text, size=file_size, chip=lambda outcome: CHIP_CLASSES[outcome])
    return result


def viewer_link(template: str | None, study_instance_uid: str, series_instance_uid: str) -> str | None:
    """Fill in a collection's viewer address.

    Parameters
    ----------
    template : str or None
        Address with ``{study}`` and ``{series}``.
    study_instance_uid, series_instance_uid : str
        What to show.

    Returns
    -------
    str or None
        None where there is no template or it is no web address.
    """
    if template is None or not template.startswith(("https://", "http://")):
        return None
    return template.replace("{study}", study_instance_uid).replace("{series}", series_instance_uid)
