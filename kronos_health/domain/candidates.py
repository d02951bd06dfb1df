"""The names of candidates: environments other than production's, to try a target in.

A name is one or more of these parts, joined by commas where one candidate is to differ in several ways at once::

    torch=2.15.0          another torch (or torch=latest)
    kronos=upstream/main  another revision of the Kronos checkout: REMOTE/BRANCH, a tag or a commit
    python=/srv/py313     another interpreter as it is; together with torch=…, the Python that environment is based on
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

PRODUCTION = "production"
LATEST = "latest"
LONGEST = 128  # of the column it is stored in
_KEYS = ("torch", "kronos", "python")
_WORDS = {"torch": "torch", "kronos": "Kronos", "python": "the interpreter"}
_PART_END = re.compile(r",(?=\s*[a-z]+\s*=)")
_VERSION = re.compile(r"\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[a-z0-9]+([.-][a-z0-9]+)*)?")
_REF = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/@+-]*")  # no leading dash: git would take it for an option
_COMMIT = re.compile(r"[0-9a-f]{12,64}")
SHORT_COMMIT = 12


class CandidateError(ValueError):
    """A name that stands for no candidate; the text says what is wrong with it and what there is."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """How an environment differs from production's; ``None`` where it does not."""

    torch: str | None = None
    kronos: str | None = None
    python: str | None = None

    @property
    def name(self) -> str:
        """The one way to write it: what is stored, shown, and typed."""
        parts = [f"{key}={value}" for key in _KEYS if (value := getattr(self, key)) is not None]
        return ",".join(parts) or PRODUCTION

    @property
    def words(self) -> str:
        """The same for people: ``torch 2.15.0 and Kronos 4f1c2ab01234``."""
        parts = [f"{_WORDS[key]} {value}" for key in _KEYS if (value := getattr(self, key)) is not None]
        return " and ".join(parts) or "production's environment"

    @property
    def moving(self) -> bool:
        """True while it names what may be something else tomorrow: ``latest``, a branch."""
        return self.torch == LATEST or (self.kronos is not None and not _COMMIT.fullmatch(self.kronos))

    def with_torch(self, version: str) -> Candidate:
        """The same with ``latest`` resolved."""
        return replace(self, torch=version)

    def with_commit(self, commit: str) -> Candidate:
        """The same with its revision resolved to ``commit``."""
        return replace(self, kronos=commit[:SHORT_COMMIT])


def of_release(version: str) -> Candidate:
    """The candidate of a torch release."""
    return Candidate(torch=version)


def of_commit(commit: str) -> Candidate:
    """The candidate of a Kronos commit."""
    return Candidate().with_commit(commit)


def parse_candidate(text: str) -> Candidate:
    """The candidate that ``text`` names. Raises :class:`CandidateError`.

    >>> parse_candidate("kronos=upstream/main, torch==2.15.0").name
    'torch=2.15.0,kronos=upstream/main'
    """
    if text.strip() == PRODUCTION:
        return Candidate()
    found: dict[str, str] = {}
    for part in _PART_END.split(text):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or key not in _KEYS:
            raise CandidateError(f"{text!r} names no candidate: {_what_is(key)}")
        if key in found:
            raise CandidateError(f"{text!r} names {key} twice; give --candidate twice for two candidates")
        found[key] = _checked(text, key, value.removeprefix("=") if key == "torch" else value)
    candidate = Candidate(**found)
    if len(candidate.name) > LONGEST:
        raise CandidateError(f"{text!r} is longer than {LONGEST} characters; a link can make the path shorter")
    return candidate


def candidate_words(name: str) -> str:
    """The words of a stored name; one that nobody can read stays as it is."""
    try:
        return parse_candidate(name).words
    except CandidateError:
        return name


def _checked(text: str, key: str, value: str) -> str:
    value = value.strip()
    if key == "torch" and value != LATEST and not _VERSION.fullmatch(value):
        raise CandidateError(f"{text!r}: {value!r} is no version; write torch=2.15.0 or torch=latest")
    if key == "kronos" and (not _REF.fullmatch(value) or ".." in value or "@{" in value):
        raise CandidateError(f"{text!r}: {value!r} is no revision; write kronos=upstream/main, a tag or a commit")
    if key == "python" and (not value.startswith("/") or not value.isprintable()):
        raise CandidateError(f"{text!r}: {value!r} is no absolute path; write python=/path/to/bin/python")
    return value[:SHORT_COMMIT] if key == "kronos" and _COMMIT.fullmatch(value) else value


def _what_is(key: str) -> str:
    near = difflib.get_close_matches(key, _KEYS, n=1)
    hint = f" Did you mean {near[0]}=…?" if near else ""
    return f"{key!r} is none of torch=VERSION, kronos=REVISION and python=PATH.{hint}"
