"""Two stages: fixed texts over raw blocks, then full regular expressions on the few records that hold one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import ahocorasick_rs
import numpy as np

from kronos_health.logs.catalogue import Catalogue
from kronos_health.logs.entries import SamplePattern, Signature
from kronos_health.logs.levels import NEEDLES
from kronos_health.logs.lines import Positions
from kronos_health.logs.text import RecordText

Item = TypeVar("Item", Signature, SamplePattern)
Needles = tuple[bytes, ...] | None


@dataclass(frozen=True, slots=True)
class Match:
    """A signature seen in a record. ``message`` is what matched, ``reason`` and ``subject`` its groups."""

    signature: Signature
    message: str
    reason: str | None
    subject: str | None


class Matcher:
    """A catalogue made ready for logs of one encoding.

    With ``errors``, records of level ERROR or above are hits as well. ``exhaustive`` is set where a user's pattern has
    no fixed text: then every record goes through the second stage.
    """

    def __init__(self, catalogue: Catalogue, encoding: str = "utf-8", *, errors: bool = False) -> None:
        self._signatures = [(_needles(item, encoding), item) for item in catalogue.signatures]
        self._samples = [(_needles(item, encoding), item) for item in catalogue.samples]
        needles = [item for item, _ in self._signatures] + [item for item, _ in self._samples]
        self.exhaustive = any(item is None for item in needles)
        self.errors = errors
        levels = [text.encode(encoding, errors="replace") for text in NEEDLES] if errors else []
        texts = (needle for item in needles for needle in item or ())
        self._searcher = None if self.exhaustive else _searcher((*texts, *levels))

    def hits(self, block: memoryview) -> Positions:
        """Positions in ``block`` (contiguous) where one of the fixed texts stands, ascending."""
        if self._searcher is None:
            raise ValueError("an exhaustive matcher has no first stage")
        found = self._searcher.find_matches_as_indexes(block)
        return np.fromiter((item[1] for item in found), np.int64, len(found))

    def signatures(self, raw: bytes, text: RecordText, within: int | None = None) -> list[Match]:
        """What the record says: each signature at most once, and none that another one says better.

        ``raw`` are its undecoded bytes. Where the record was cut, ``within`` is the length of ``text.searched`` that is
        its own: a match must begin there.
        """
        found = {
            item.name: match
            for item in _present(self._signatures, raw)
            if (match := _match(item, text.searched, within)) is not None
        }
        return [match for match in found.values() if not any(name in found for name in match.signature.unless)]

    def samples(
        self, raw: bytes, text: RecordText, within: int | None = None
    ) -> Iterator[tuple[str, str | None, float]]:
        """Metric, symbol and value of every number in the record."""
        for item in _present(self._samples, raw):
            for start, symbol, value in item.values(text.searched):
                if within is None or start < within:
                    yield item.name, symbol, value


def _present(items: Iterable[tuple[Needles, Item]], raw: bytes) -> Iterator[Item]:
    return (item for needles, item in items if needles is None or any(needle in raw for needle in needles))


def _match(signature: Signature, text: str, within: int | None) -> Match | None:
    found = signature.find(text)
    if found is None or (within is not None and found.start() >= within):
        return None
    groups = found.groupdict()
    subject = groups.get("subject")
    return Match(signature, found.group(), _line(groups.get("reason")), subject.lower() if subject else None)


def _line(text: str | None) -> str | None:
    return " ".join(text.split()) if text and text.strip() else None


def _needles(item: Signature | SamplePattern, encoding: str) -> Needles:
    if item.literals is None:
        return None
    return tuple(sorted(text.encode(encoding, errors="replace") for text in item.literals))


def _searcher(needles: Iterable[bytes]) -> ahocorasick_rs.BytesAhoCorasick:
    wanted = set(needles)
    # A text that holds another one is found with it: fewer texts are searched faster.
    fewest = sorted(one for one in wanted if not any(other != one and other in one for other in wanted))
    return ahocorasick_rs.BytesAhoCorasick(fewest, matchkind=ahocorasick_rs.MatchKind.LeftmostFirst)
