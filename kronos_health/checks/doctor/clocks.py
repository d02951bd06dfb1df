"""What time it is elsewhere: by the ``Date`` header of a web address (RFC 9110, section 6.6.1), to the second."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPException


def web_time(url: str, timeout_seconds: float) -> datetime | str:
    """The time that ``url`` answers with, aware UTC, or in words why there is none. An error page tells it as well."""
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 - the settings allow http and https only
    try:
        with urllib.request.urlopen(request, timeout=timeout_seconds) as answer:  # noqa: S310
            date = answer.headers.get("Date")
    except urllib.error.HTTPError as error:
        date = error.headers.get("Date")
        error.close()
    except (OSError, HTTPException, ValueError) as error:
        return str(getattr(error, "reason", None) or error or type(error).__name__)
    if not date:
        return "it sends no Date"
    try:
        told = parsedate_to_datetime(date)
    except ValueError:
        return "its Date cannot be read"
    return (told if told.tzinfo else told.replace(tzinfo=UTC)).astimezone(UTC)
