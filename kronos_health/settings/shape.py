"""Questions about the shape of the settings: which keys there are, of which type, and how close a wrong one is."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from kronos_health.settings.models import Section, Settings

Parts = tuple[str, ...]
_SECRET_WORDS = ("token", "secret", "password", "passwd", "api_key", "apikey", "credential", "webhook")


def unwrap(annotation: Any) -> Any:
    """The annotation without ``Annotated`` and without ``| None``."""
    if hasattr(annotation, "__metadata__"):
        return unwrap(annotation.__origin__)
    if get_origin(annotation) in {Union, types.UnionType}:
        inner = [member for member in get_args(annotation) if member is not type(None)]
        return unwrap(inner[0]) if len(inner) == 1 else annotation
    return annotation


def section_class(annotation: Any) -> type[Section] | None:
    """The section an annotation stands for, if it does."""
    inner = unwrap(annotation)
    return inner if isinstance(inner, type) and issubclass(inner, Section) else None


def element_class(annotation: Any) -> type[Section] | None:
    """The section itself, or that of every element where a list of them is written as ``[[name]]``."""
    return section_class(get_args(unwrap(annotation))[0]) if is_list(annotation) else section_class(annotation)


def table_value(annotation: Any) -> Any | None:
    """``X`` of ``dict[str, X]``, else ``None``."""
    inner = unwrap(annotation)
    return get_args(inner)[1] if get_origin(inner) is dict else None


def is_list(annotation: Any) -> bool:
    """Whether the value is written as a list."""
    return get_origin(unwrap(annotation)) in {tuple, list}


def is_text(annotation: Any) -> bool:
    """Whether an empty string is a value of this type rather than no value."""
    return unwrap(annotation) in {str, SecretStr}


def choices(annotation: Any) -> tuple[str, ...]:
    """The words a value, or each element of a list, may be; empty when it is free."""
    inner = unwrap(annotation)
    if get_origin(inner) is Literal:
        return tuple(str(word) for word in get_args(inner))
    if is_list(inner):
        return choices(get_args(inner)[0])
    return ()


def field_at(parts: Iterable[str | int]) -> FieldInfo | None:
    """The declared field that a key path ends in or passes last; ``None`` when it leaves the declared shape."""
    annotation: Any = Settings
    field: FieldInfo | None = None
    for part in parts:
        section = element_class(annotation)
        if section is not None:
            found = section.model_fields.get(str(part))
            if found is None:
                return None
            field, annotation = found, found.annotation
            continue
        annotation = table_value(annotation)
        if annotation is None:
            return field
    return field


def keys_of(parts: Iterable[str]) -> tuple[str, ...]:
    """The keys that may be written in the section at ``parts``; empty where any name may stand."""
    annotation: Any = Settings
    for part in parts:
        section = element_class(annotation)
        if section is None:
            annotation = table_value(annotation)
            continue
        field = section.model_fields.get(part)
        annotation = field.annotation if field else None
    section = element_class(annotation)
    return tuple(section.model_fields) if section else ()


def close_match(word: str, known: Iterable[str]) -> str | None:
    """The known word most like ``word``, if one is."""
    matches = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def leaves(value: Any, parts: Parts = ()) -> Iterator[tuple[Parts, Any]]:
    """Every value in force with its key path; tables are descended into, an empty one is a value."""
    if isinstance(value, Section):
        for name in type(value).model_fields:
            yield from leaves(getattr(value, name), (*parts, name))
    elif isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from leaves(inner, (*parts, str(name)))
    else:
        yield parts, value


def is_secret(parts: Iterable[str | int]) -> bool:
    """Whether the value at this key path must never be shown: declared secret, or named like one."""
    parts = tuple(parts)
    field = field_at(parts)
    if field is not None and SecretStr in {unwrap(field.annotation), unwrap(table_value(field.annotation))}:
        return True
    # Only names a person chose can hide a secret in a table of free names, such as a factory's options.
    free_name = field is not None and table_value(field.annotation) is not None
    return free_name and any(word in str(parts[-1]).lower() for word in _SECRET_WORDS)
