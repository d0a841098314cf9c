"""A TOML file to frozen settings; every mistake at once, with its line, key, value and what would be right."""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from stream.errors import SettingsError

Model = TypeVar("Model", bound=BaseModel)
Key = tuple[str | int, ...]

_TABLE = re.compile(r"\s*\[(\[?)\s*([^\]#]+?)\s*\]\]?\s*(#.*)?$")
_ASSIGNMENT = re.compile(r"\s*([A-Za-z0-9_.\"'-]+)\s*=")


class Mistake(NamedTuple):
    """What only several keys together show to be wrong. key: of the one to change, from the model that finds it."""

    key: Key
    value: object
    says: str


def mistaken(model: str, mistakes: Iterable[Mistake]) -> ValidationError:
    """To be raised by a validator: each mistake at its own key, rather than one at the whole table."""
    details = [
        InitErrorDetails(type=PydanticCustomError("together", "{says}", {"says": says}), loc=key, input=value)
        for key, value, says in mistakes
    ]
    return ValidationError.from_exception_data(model, details)


def load(path: Path, model: type[Model]) -> Model:
    """The settings in `path`. Raises SettingsError with one line a mistake."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        raise SettingsError(f"{path}: cannot be read: {wrong}") from wrong
    try:
        return model.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as wrong:
        raise SettingsError(f"{path}: not TOML: {wrong}") from wrong
    except ValidationError as wrong:
        lines = line_numbers(text)
        raise SettingsError("\n".join(f"{path}:{mistake}" for mistake in _mistakes(wrong, lines))) from wrong


def line_numbers(text: str) -> dict[Key, int]:
    """Key path to line number, for the tables and assignments of a TOML text; arrays of tables count from 0."""
    found: dict[Key, int] = {}
    counts: dict[Key, int] = {}
    table: Key = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _TABLE.match(line):
            table = _indexed(_parts(header[2]), counts)
            if header[1]:
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            found.setdefault(table, number)
        elif assignment := _ASSIGNMENT.match(line):
            found.setdefault((*table, *_parts(assignment[1])), number)
    return found


def _parts(dotted: str) -> Key:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


def _indexed(key: Key, counts: dict[Key, int]) -> Key:
    """`a.b` below the third `[[a]]` is a.2.b."""
    path: Key = ()
    for place, part in enumerate(key):
        path = (*path, part)
        if path in counts and place < len(key) - 1:
            path = (*path, counts[path])
    return path


def _mistakes(wrong: ValidationError, lines: dict[Key, int]) -> list[str]:
    told = []
    for error in wrong.errors(include_url=False):
        # A discriminated union puts the chosen tag into the path; the file does not have it as a key.
        key = tuple(part for place, part in enumerate(error["loc"]) if not _is_tag(error["loc"], place, lines))
        line = next((lines[key[:size]] for size in range(len(key), 0, -1) if key[:size] in lines), 1)
        name = ".".join(str(part) for part in key) or "(the file)"
        value = "" if error["type"] in ("missing", "model_type") else f" = {_shown(key, error['input'])}"
        told.append((line, f"{line}: {name}{value}: {error['msg'].removeprefix('Value error, ')}"))
    return [mistake for _, mistake in sorted(told)]


def _is_tag(location: Key, place: int, lines: dict[Key, int]) -> bool:
    before, after = location[:place], location[place + 1 : place + 2]
    return (
        place > 0
        and after != ()
        and ((*before, "type") in lines or (*before, *after) in lines)
        and (*before, location[place]) not in lines
    )


def _shown(key: Key, value: object) -> str:
    """The value as it stands in the file; what may be a secret is not repeated into a terminal or a log."""
    text = repr(value)
    if "@" in text or any(word in str(part).lower() for part in key for word in ("password", "secret", "token", "key")):
        return "(not shown)"
    return text if len(text) <= 60 else f"{text[:57]}..."
