"""Reading configuration files into typed models, with errors that name file and key.

Belongs here: YAML -> pydantic, once, strictly. Does not belong here: what the keys mean.
"""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from plr_assets.errors import ConfigError, did_you_mean

Model = TypeVar("Model", bound=BaseModel)


class StrictModel(BaseModel):
    """Part of a configuration file: a key that it does not know is an error, and nothing changes it once it is read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _StrictLoader(yaml.SafeLoader):
    """YAML without the silent loss of a key that is written twice."""


def _mapping_without_duplicates(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)
        if key in seen:
            raise yaml.constructor.ConstructorError(
                None, None, f"the key {key!r} is written twice", key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping_without_duplicates)


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`. Raises ConfigError if the file is missing, no YAML, or no mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = [other.name for other in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise ConfigError(str(path), "there is no such file.", did_you_mean(path.name, beside)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            str(path), f"the file cannot be read ({error}).", "Save it as readable UTF-8 text."
        ) from error
    try:
        content = yaml.load(text, Loader=_StrictLoader)  # noqa: S506 - _StrictLoader is a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f": line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "this is no YAML"
        raise ConfigError(
            f"{path}{line}", f"{problem}.", "Mend the line; YAML indents with blanks, two a level."
        ) from error
    if not isinstance(content, dict):
        raise ConfigError(
            str(path), "the file holds no keys.", "Write `key: value` lines; see the other files beside it."
        )
    return content


def load_model(path: Path, model: type[Model]) -> Model:
    """`path` as `model`. Raises ConfigError that lists every broken key."""
    try:
        return model.model_validate(read_yaml(path), context={"path": path})
    except ValidationError as error:
        raise config_error(path, model, error) from error


def config_error(path: Path, model: type[BaseModel], error: ValidationError) -> ConfigError:
    """A pydantic error in the words of the file: its keys, its rules, and the nearest known key."""
    problems = error.errors()
    # an element that is wrong also makes pydantic call the list that holds it too short
    inner = [p for p in problems if not any(p["loc"] == q["loc"][: len(p["loc"])] != q["loc"] for q in problems)]
    first, *others = [_explain(model, problem) for problem in inner]
    key, rule, remedy = first
    more = "".join(f"\n  also {k}: {r} {m}" for k, r, m in others)
    return ConfigError(f"{path}: {key}", rule, f"{remedy}{more}")


def _explain(model: type[BaseModel], problem: Any) -> tuple[str, str, str]:
    location = [str(part) for part in problem["loc"]]
    key = ".".join(location) or "(top level)"
    match problem["type"]:
        case "extra_forbidden":
            return key, "this key is unknown.", did_you_mean(location[-1], _keys_at(model, problem["loc"][:-1]))
        case "missing":
            return key, "this key is missing.", "Add it; docs/configuration.md lists every key."
        case "value_error":
            return key, f"{problem['ctx']['error']}.", "See docs/configuration.md."
        case _:
            return key, f"{problem['msg']} (found {problem['input']!r}).", "See docs/configuration.md."


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that the model knows at `location`; [] where it cannot be told."""
    current: Any = model
    for part in location:
        if not (isinstance(current, type) and issubclass(current, BaseModel)):
            return []
        field = current.model_fields.get(str(part))
        if field is None:
            continue  # an index into a list or mapping: the element's model was reached already
        current = _element_model(field.annotation)
    return list(current.model_fields) if isinstance(current, type) and issubclass(current, BaseModel) else []


def _element_model(annotation: Any) -> Any:
    """The model inside `list[Model]`, `dict[str, Model]`, `Model | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _element_model(argument)
        if found is not None:
            return found
    return None
