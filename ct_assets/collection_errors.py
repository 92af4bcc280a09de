"""Errors of a collection YAML in words: which key is wrong, and what is allowed there."""

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_MOST_TOLD, _MOST_CHARACTERS = 20, 100


def explanations(root: type[BaseModel], content: dict[str, Any], error: ValidationError) -> str:
    """Say everything that is wrong with a collection YAML.

    Parameters
    ----------
    root : type of BaseModel
        Model of the whole YAML.
    content : dict
        What the YAML holds.
    error : ValidationError
        What pydantic says of it.
    """
    # Defaults that follow from a key that is wrong could not be made, which is nobody's mistake.
    problems = [problem for problem in error.errors() if problem["type"] != "default_factory_not_called"]
    told = [_explanation(root, content, problem) for problem in problems[:_MOST_TOLD]]
    more = len(problems) - len(told)
    return "; ".join(told) + (f"; and {more} more" if more else "")


def _explanation(root: type[BaseModel], content: dict[str, Any], problem: Any) -> str:
    """Say which key is wrong and what is allowed there."""
    location, models = _located(root, content, problem["loc"])
    if problem["type"] == "extra_forbidden":
        allowed = sorted({name for model in models for name in model.model_fields})
        return f"key {_name(location)}: unknown; allowed here: {', '.join(allowed)}"
    said = _cut(problem["msg"][0].lower() + problem["msg"][1:], 5 * _MOST_CHARACTERS)
    text = f"key {_name(location) or 'demonstration'}: {said}"
    given = problem.get("input")
    return f"{text} (given: {_shown(given)})" if isinstance(given, str | int | float | bool) else text


def _name(location: list[str]) -> str:
    return ".".join(part[:_MOST_CHARACTERS] for part in location)


def _shown(given: str | float) -> str:
    """Return a value as a message can hold it: Python refuses to write whole numbers of thousands of digits."""
    if isinstance(given, int) and given.bit_length() > _MOST_CHARACTERS:
        return f"a number of {given.bit_length()} bits"
    return _cut(repr(given), _MOST_CHARACTERS)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _located(
    root: type[BaseModel], content: Any, path: tuple[str | int, ...]
) -> tuple[list[str], list[type[BaseModel]]]:
    """Return the keys of a path in the YAML, and the models whose key the last one may be.

    The paths of pydantic also name the alternative that was taken, such as a kind or a profile, which is no key of the
    YAML.
    """
    location: list[str] = []
    models: list[type[BaseModel]] = [root]
    holders = models
    for part in path:
        if str(part).startswith(("(", "[")):  # the alternative of a limit, or a key instead of its value
            continue
        chosen = [model for model in models if part in _tags(model)]
        known = isinstance(content, dict) and part in content
        if chosen and not known:
            models = holders = chosen
            continue
        location.append(str(part))
        holders = models
        fields = [model.model_fields[str(part)] for model in models if str(part) in model.model_fields]
        models = [model for field in fields for model in _models_in(field.annotation)]
        inside = isinstance(content, list) and isinstance(part, int) and part < len(content)
        content = content[part] if known or inside else None
    return location, holders


def _tags(model: type[BaseModel]) -> tuple[Any, ...]:
    """Return the value of kind or profile that chooses a model."""
    field = model.model_fields.get("kind") or model.model_fields.get("profile")
    return get_args(field.annotation) if field else ()


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
