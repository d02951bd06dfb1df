"""Secrets are masked before any text of a log is stored or shown.

Two sets of rules, one after the other: those here name what stands in front of a secret (``password=``, ``Bearer``, a
URL's user), for these lines are read by people; those of detect-secrets (:mod:`.detectors`) know tokens by their form.

Hardly any text holds a secret, and a log says the same thing again and again. So a rule is tried only where the text
has what each of its matches must have (:mod:`.necessary`), and a text that differs in digits only from one in which
nothing was found is asked only for what the rules that tell digits apart must have. Neither changes an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from kronos_health.logs.detectors import masked_token, rules
from kronos_health.logs.digits import digits_told_apart
from kronos_health.logs.necessary import Rule, folded

MASK = "***"
_LONGEST = 16_384  # characters: longer texts are not remembered
_REMEMBERED = 256  # shapes: four megabytes of ASCII at most

_NAMES = (
    r"password|passwd|passphrase|(?<![a-z])(?:pass|pwd)|secret|token|credentials?"
    r"|(?:private|api|access|secret|auth|account)[_-]?key|signing[_-]?secret|aws_secret\w{0,20}|authorization"
)
_SCHEMES = r"(?:(?:Bearer|Basic|Digest|Negotiate)\s+)?"
_QUOTED = r"\\?\"(?:[^\"\\\n]|\\[^\"])*\\?\"?|\\?'(?:[^'\\\n]|\\[^'])*\\?'?"
_VENDORS = (
    r"gh[pousr]_|github_pat_|glpat-|hf_|pypi-|npm_|sk-(?:proj-|ant-)?|[rs]k_live_|AIza|ya29\."  # code hosts, hubs, …
)
_KEY = r"[A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
# Each alternative keeps what tells the reader what stood there (group `keep…`) and loses the secret itself. Every
# repetition that could be tried again from each of its characters is bounded: the text may be hostile.
_ALTERNATIVES = (
    # private keys, also cut ones and those quoted with literal \n
    rf"(?P<keep1>-----BEGIN {_KEY}).*?(?:-----END {_KEY}|\Z)",
    r"(?P<keep2>\b[a-z][a-z0-9+.-]{0,20}://[^\s/:@\"']{0,128}:)[^\s@\"']{1,512}(?=@)",  # user:password in a URL
    r"(?P<keep3>\bhooks\.slack\.com/(?:services|workflows|triggers)/)[\w/+-]+",
    r"(?P<keep4>\b(?:Bearer|Basic|Digest|Negotiate)\s{1,4})(?=[\w.~+/-]{0,200}[\d+/=._-])[\w.~+/-]{8,}=*",
    r"(?P<keep5>\bxox[a-z]|\bxapp|\bxwfp)-[\w-]{6,}",  # Slack
    r"(?P<keep6>\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA))[A-Z0-9]{12,}\b",  # AWS key ids
    rf"(?P<keep7>\b(?:{_VENDORS}))[\w-]{{16,}}",
    r"(?P<keep0>[?&]signature=)[\w%+/=-]{16,}",  # signed requests to exchanges
    r"(?P<keep8>\beyJ)[\w-]{8,2048}\.[\w-]{4,}(?:\.[\w-]*)?",  # JSON web tokens
    rf"(?P<keep9>(?i:{_NAMES})\\?[\"']?\s{{0,4}}(?:=>|[:=])\s{{0,4}})(?:{_QUOTED}|{_SCHEMES}[^\s,;&\"'\\)\]}}]+)",
)
_NAMED = tuple(Rule(pattern, re.DOTALL) for pattern in _ALTERNATIVES)
_clean: set[str] = set()  # shapes of texts in which nothing was found


def mask(text: str) -> str:
    """``text`` with every secret replaced by ``***``; what named it stays, so that the line can still be read."""
    if len(text) > _LONGEST:
        return _masked(text)
    shape = _shape(text)
    if shape in _clean and not _may_hold(_telling_digits_apart(), text):
        return text
    masked = _masked(text)
    if masked == text:
        if len(_clean) >= _REMEMBERED:
            _clean.clear()
        _clean.add(shape)
    return masked


def _shape(text: str) -> str:
    for digit in "123456789":  # str.translate is thirty times slower where a letter is not of ASCII
        text = text.replace(digit, "0")
    return text


def _masked(text: str) -> str:
    low = folded(text)
    named = tuple(rule.pattern for rule in _NAMED if rule.may_match(text, low))
    if named:
        text = _one_of(named).sub(_without_secret, text)
        low = folded(text)
    for rule in rules():
        if rule.may_match(text, low):
            text = rule.expression.sub(_without_token, text)
            low = folded(text)
    return text


@lru_cache(maxsize=64)
def _one_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """The rules in one expression, so that what the leftmost finds is not looked at by the others."""
    return re.compile("|".join(patterns), re.DOTALL)


def _may_hold(some: Iterable[Rule], text: str) -> bool:
    low = folded(text)
    return any(rule.may_match(text, low) for rule in some)


@cache
def _telling_digits_apart() -> tuple[Rule, ...]:
    """The rules that may find something in a text and nothing in one that has other digits in the same places."""
    return tuple(rule for rule in (*_NAMED, *rules()) if digits_told_apart(rule.written) != frozenset())


def _without_secret(found: re.Match[str]) -> str:
    return (found[found.lastgroup] if found.lastgroup else "") + MASK


def _without_token(found: re.Match[str]) -> str:
    return masked_token(found, MASK)
