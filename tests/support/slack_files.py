"""External uploads as Slack takes them: a place is asked for, bytes are brought, the upload is completed.

A file of an upload that named no channel is seen by nobody until a message shows it (``slack_file``).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

UPLOAD_PATH = "upload/"


class SlackFiles:
    """``completed`` holds the ids that messages may show; ``reading`` of them are refused that many times first."""

    def __init__(self, port: Callable[[], int]) -> None:
        self._port = port
        self.asked: dict[str, dict[str, Any]] = {}
        self.brought: dict[str, int] = {}
        self.completed: dict[str, str] = {}
        self.shown: list[str] = []
        self.still_reading = 0  # how many messages are refused because Slack has not read the picture yet

    def place(self, body: dict[str, Any], scopes: str) -> dict[str, Any]:
        if "files:write" not in scopes:
            return {"ok": False, "error": "missing_scope", "needed": "files:write"}
        if not body.get("filename") or int(body.get("length") or 0) <= 0:
            return {"ok": False, "error": "invalid_arguments"}
        file_id = f"F0LOOP{len(self.asked):04d}"
        self.asked[file_id] = body
        address = f"http://127.0.0.1:{self._port()}/{UPLOAD_PATH}{file_id}"
        return {"ok": True, "upload_url": address, "file_id": file_id}

    def uploaded(self, path: str, length: str) -> str:
        file_id = path.removeprefix(UPLOAD_PATH)
        wanted = int(self.asked.get(file_id, {}).get("length") or -1)
        if int(length) != wanted:
            return f"no file of {wanted} bytes"
        self.brought[file_id] = wanted
        return f"OK - {length}"

    def complete(self, body: dict[str, Any]) -> dict[str, Any]:
        files = body.get("files") or []
        files = json.loads(files) if isinstance(files, str) else files
        if not files or any(file["id"] not in self.brought for file in files):
            return {"ok": False, "error": "file_not_found"}
        self.completed |= {file["id"]: file.get("title", "") for file in files}
        return {"ok": True, "files": files}

    def refusal(self, body: dict[str, Any]) -> str | None:
        """Slack's word for a message whose picture it does not have, or has not read yet."""
        blocks = [block for attachment in body.get("attachments") or () for block in attachment.get("blocks") or ()]
        wanted = [block["slack_file"]["id"] for block in blocks if block.get("type") == "image"]
        if not wanted:
            return None
        if self.still_reading:
            self.still_reading -= 1
            return "invalid_blocks"
        if any(file_id not in self.completed for file_id in wanted):
            return "invalid_blocks"
        self.shown += wanted
        return None
