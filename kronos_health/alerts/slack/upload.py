"""A picture on its way to Slack, ahead of the message that shows it.

An upload that is completed without naming a channel is seen by nobody until a message shows it
(docs.slack.dev/reference/methods/files.completeUploadExternal, and ``slack_file`` of the image block): so it may be
repeated without harm, and the message itself keeps the promise of every message, neither lost nor doubled. The app
needs
the scope ``files:write``.
"""

from __future__ import annotations

import urllib.request

from kronos_health.alerts.channels import Outcome, Verdict
from kronos_health.alerts.slack.client import SlackClient
from kronos_health.alerts.slack.errors import classify_exception
from kronos_health.domain.alerts import Picture


def stage(client: SlackClient, picture: Picture, png: bytes) -> str | Outcome:
    """Slack's id of the uploaded picture, or why there is none."""
    wanted = {"filename": f"{picture.id}.png", "length": len(png), "alt_txt": picture.alt_text[:1_000]}
    place = client.call("files.getUploadURLExternal", params=wanted)
    if isinstance(place, Outcome):
        return place
    address, file_id = str(place.get("upload_url", "")), str(place.get("file_id", ""))
    if not address.startswith(("https://", "http://127.0.0.1")) or not file_id or len(file_id) > 64:
        return Outcome(Verdict.UNKNOWN, error="Slack's answer names no place to upload to")
    try:
        request = urllib.request.Request(  # noqa: S310 - looked above
            address, data=png, method="POST", headers={"Content-Type": "application/octet-stream"}
        )
        with urllib.request.urlopen(request, timeout=client.timeout_seconds) as response:  # noqa: S310
            response.read(1_000)
    except Exception as error:  # a verdict for everything, as for any call
        return classify_exception(error)
    done = client.call("files.completeUploadExternal", json={"files": [{"id": file_id, "title": picture.title[:200]}]})
    return done if isinstance(done, Outcome) else file_id
