"""Two stages: fixed texts over raw blocks, then full regular expressions on the few records that hold one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from kronos_health.logs.catalogue import Catalogue
from kronos_health.logs.digits import digits_told_apart, shapes
from kronos_health.logs.engines import Engine, Wanted, engine
from kronos_health.logs.entries import SamplePattern, Signature
from kronos_health.logs.levels import NEEDLES
from kronos_health.logs.lines import Positions
from kronos_health.logs.text import RecordText

Item = TypeVar("Item", Signature, SamplePattern)
Needles = tuple[bytes, ...] | None
_Promising = tuple[list[Signature], list[SamplePattern]]
_LONGEST = 4096
_MOST_SHAPES = 2000
_DIGITS = b"0123456789"


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

    def __init__(
        self, catalogue: Catalogue, encoding: str = "utf-8", *, errors: bool = False, wanted: Wanted = "auto"
    ) -> None:
        self._signatures = [(_needles(item, encoding), item) for item in catalogue.signatures]
        self._samples = [(_needles(item, encoding), item) for item in catalogue.samples]
        needles = [item for item, _ in self._signatures] + [item for item, _ in self._samples]
        self.exhaustive = any(item is None for item in needles)
        self.errors = errors
        self._known: dict[bytes, _Promising] = {}
        self._latest: tuple[bytes | None, _Promising] = None, ([], [])
        told = {item.name: _told_apart(item) for item in catalogue.signatures}
        told |= {item.name: _told_apart(item) for item in catalogue.samples}
        self.kept_digits = frozenset[str]().union(*(digits for digits in told.values() if digits))
        self._by_digits = frozenset(name for name, digits in told.items() if digits is None)
        self._digits_in_needles = any(byte in _DIGITS for texts in needles for text in texts or () for byte in text)
        self._engine: Engine | None = None
        if not self.exhaustive:
            levels = [text.encode(encoding, errors="replace") for text in NEEDLES] if errors else []
            texts = (needle for item in needles for needle in item or ())
            self._engine = engine(_fewest((*texts, *levels)), wanted)

    def hits(self, block: memoryview) -> Positions:
        """Positions in ``block`` (contiguous) where one of the fixed texts stands, ascending."""
        if self._engine is None:
            raise ValueError("an exhaustive matcher has no first stage")
        return self._engine.find(block)

    def signatures(self, raw: bytes, text: RecordText, within: int | None = None) -> list[Match]:
        """What the record says: each signature at most once, and none that another one says better.

        ``raw`` are its undecoded bytes. Where the record was cut, ``within`` is the length of ``text.searched`` that is
        its own: a match must begin there.
        """
        found = {
            item.name: match
            for item in self._promising(raw, text, within)[0]
            if (match := _match(item, text.searched, within)) is not None
        }
        return [match for match in found.values() if not any(name in found for name in match.signature.unless)]

    def _promising(self, raw: bytes, text: RecordText, within: int | None) -> _Promising:
        """What may be found in the record; of the many alike that a log repeats, only what was found in the first."""
        if within is not None or len(raw) > _LONGEST or not raw.isascii():
            return list(_present(self._signatures, raw)), list(_present(self._samples, raw))
        if raw is not self._latest[0]:  # each record is asked about twice
            self._latest = raw, self._promising_like(raw, text)
        return self._latest[1]

    def _promising_like(self, raw: bytes, text: RecordText) -> _Promising:
        shape = shapes(raw, self.kept_digits)
        known = self._known.get(shape)
        if known is not None:
            return known
        signatures, samples = list(_present(self._signatures, raw)), list(_present(self._samples, raw))
        if self.looks_alike(raw):
            signatures = [item for item in signatures if item.find(text.searched)]
            samples = [item for item in samples if any(True for _ in item.numbers(text.searched))]
            if len(self._known) >= _MOST_SHAPES:
                self._known.clear()
            self._known[shape] = signatures, samples
        return signatures, samples

    def looks_alike(self, raw: bytes) -> bool:
        """Whether the record says the same with other digits, those in ``kept_digits`` aside."""
        if self._digits_in_needles:
            return False
        names = [item.name for item in _present(self._signatures, raw)]
        names += [item.name for item in _present(self._samples, raw)]
        return self._by_digits.isdisjoint(names)

    def sample_patterns(self, raw: bytes, text: RecordText) -> list[SamplePattern]:
        """The patterns that may find a number in the record."""
        return self._promising(raw, text, None)[1]

    def samples(
        self, raw: bytes, text: RecordText, within: int | None = None
    ) -> Iterator[tuple[str, str | None, float]]:
        """Metric, symbol and value of every number in the record."""
        for item in self._promising(raw, text, within)[1]:
            for start, symbol, value in item.values(text.searched):
                if within is None or start < within:
                    yield item.name, symbol, value


def _told_apart(item: Signature | SamplePattern) -> frozenset[str] | None:
    exceptions = item.exceptions if isinstance(item, Signature) else ()
    told = [digits_told_apart(expression.pattern) for expression in (*item.expressions, *exceptions)]
    return None if None in told else frozenset[str]().union(*(digits for digits in told if digits))


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


def _fewest(needles: Iterable[bytes]) -> list[bytes]:
    """A text that holds another one is found with it: fewer texts are searched faster."""
    wanted = set(needles)
    return sorted(one for one in wanted if not any(other != one and other in one for other in wanted))
