from __future__ import annotations

from pathlib import Path

import pytest

from tests.logs.support import Watched


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    folder = tmp_path / "logs"
    folder.mkdir()
    return Watched(folder)
