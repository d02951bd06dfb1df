"""Secrets are masked before any text of a log is stored or shown.

Two sets of rules, one after the other: those here name what stands in front of a secret (``password=``, ``Bearer``, a
URL's user), for these lines are read by people; those of detect-secrets (:mod:`.detectors`) know tokens by their form.
"""

from __future__ import annotations

import re

from kronos_health.logs.detectors import mask_tokens

MASK = "***"

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
_SECRETS = re.compile("|".join(_ALTERNATIVES), re.DOTALL)


def mask(text: str) -> str:
    """``text`` with every secret replaced by ``***``; what named it stays, so that the line can still be read."""
    return mask_tokens(_SECRETS.sub(_masked, text), MASK)


def _masked(found: re.Match[str]) -> str:
    return (found[found.lastgroup] if found.lastgroup else "") + MASK
