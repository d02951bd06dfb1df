"""The rules of detect-secrets for tokens that are known by their form, applied to text that is about to be stored.

Not all of its plugins are used. Those for JSON web tokens, npm and OpenAI need time that grows with the square of
hostile text (measured: 0.1 to 1.2 s for 20,000 characters) and are covered by :mod:`.masking`, as are URLs with
passwords and private keys, of which detect-secrets finds the first line only. Those for high entropy, key words and IP
addresses find hashes, paths and shapes of ordinary torch messages, and Artifactory's encrypted passwords any word that
begins with AP.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module

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
def _expressions() -> tuple[re.Pattern[str], ...]:
    """Loaded with the first text that is stored: the library brings an HTTP client along, which is never used here."""
    found = []
    for module, name in _PLUGINS.items():
        rules = getattr(import_module(f"detect_secrets.plugins.{module}"), name).denylist
        found += [rule for index, rule in enumerate(rules) if _LEFT_OUT.get(name) != index]
    return tuple(found)


def mask_tokens(text: str, mask: str) -> str:
    """``text`` with every token that one of the rules finds replaced by ``mask``."""
    for expression in _expressions():
        text = expression.sub(lambda found: _masked(found, mask), text)
    return text


def _masked(found: re.Match[str], mask: str) -> str:
    whole = found.group()
    groups = [index for index in range(1, (found.re.groups or 0) + 1) if len(found[index] or "") >= _SHORTEST]
    if groups:
        start, end = found.start(groups[0]) - found.start(), found.end(groups[0]) - found.start()
    else:
        start, end = len(whole) - len(whole.lstrip(_EDGES)), len(whole.rstrip(_EDGES))
    return whole[:start] + mask + whole[end:]
