"""The rules of detect-secrets for tokens that are known by their form, for text that is about to be stored.

Not all of its plugins are used. Those for JSON web tokens, npm and OpenAI need time that grows with the square of
hostile text (measured: 0.1 to 1.2 s for 20,000 characters) and are covered by :mod:`.masking`, as are URLs with
passwords and private keys, of which detect-secrets finds the first line only. Those for high entropy, key words and IP
addresses find hashes, paths and shapes of ordinary torch messages, and Artifactory's encrypted passwords any word that
begins with AP.

Importing the library takes 0.15 s, nearly all of it for an HTTP client that is never used here: a third of what the
scan of a small log takes. Its expressions therefore also lie in ``detectors.json``, for the version that is named
there; where another one is installed, the library itself is asked. ``python -m kronos_health.logs.detectors`` writes
the file anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

from kronos_health.logs.necessary import Rule

_LIBRARY = "detect-secrets"
_SOURCE = "detect-secrets by Yelp, https://github.com/Yelp/detect-secrets, Apache License 2.0"
_COPY = Path(__file__).with_name("detectors.json")
_PLUGINS = {
    "artifactory": "ArtifactoryDetector",
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "cloudant": "CloudantDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "ibm_cloud_iam": "IbmCloudIamDetector",
    "ibm_cos_hmac": "IbmCosHmacDetector",
    "mailchimp": "MailchimpDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "softlayer": "SoftlayerDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
_LEFT_OUT = {"ArtifactoryDetector": 1}  # by the index of the expression
_SHORTEST = 16  # a group that is shorter is the vendor's prefix, not the secret
_EDGES = " \t\r\n=:\"'"


@cache
def rules() -> tuple[Rule, ...]:
    """The rules, in the order in which they are applied."""
    copy = json.loads(_COPY.read_text(encoding="utf-8"))
    if copy["version"] != metadata.version(_LIBRARY):
        return tuple(Rule(rule.pattern, rule.flags) for rule in library_expressions())
    return tuple(Rule(pattern, flags) for pattern, flags in copy["expressions"])


def library_expressions() -> Iterator[re.Pattern[str]]:
    """The same from the library itself."""
    for module, name in _PLUGINS.items():
        expressions = getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist
        yield from (item for index, item in enumerate(expressions) if _LEFT_OUT.get(name) != index)


def library_copy() -> str:
    """What ``detectors.json`` holds for the version that is installed."""
    expressions = [[item.pattern, item.flags] for item in library_expressions()]
    held = {"source": _SOURCE, "version": metadata.version(_LIBRARY), "expressions": expressions}
    return json.dumps(held, indent=1) + "\n"


def masked_token(found: re.Match[str], mask: str) -> str:
    """What one of the rules found, the token in it replaced by ``mask``."""
    whole = found.group()
    groups = [index for index in range(1, (found.re.groups or 0) + 1) if len(found[index] or "") >= _SHORTEST]
    if groups:
        start, end = found.start(groups[0]) - found.start(), found.end(groups[0]) - found.start()
    else:
        start, end = len(whole) - len(whole.lstrip(_EDGES)), len(whole.rstrip(_EDGES))
    return whole[:start] + mask + whole[end:]


if __name__ == "__main__":
    _COPY.write_text(library_copy(), encoding="utf-8")
