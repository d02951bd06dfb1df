"""No secret of a log reaches a table, a message, the page or the report."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from kronos_health.alerts.messages import from_json
from kronos_health.alerts.plain import plain_text
from kronos_health.checks.scanning import scan, scan_single_file
from kronos_health.history.page import health_page
from kronos_health.history.report import write_report
from kronos_health.store.database import reading
from tests.checks.conftest import Clock, MakeContext
from tests.checks.test_scanning import Log
from tests.logs.test_secrets import SECRETS

FAILED = "{stamp}trade_stock_e2e.py:main:3043 ERROR | Kronos prediction failed: "
UNKNOWN = "{stamp}trade_stock_e2e.py:main:3043 ERROR | order number "
SKIPPED = "{stamp}torch/_inductor/cudagraph_utils.py:1 WARNING | skipping cudagraphs due to "


def it_stores_and_says_none_of_them(make_context: MakeContext, clock: Clock, tmp_path: Path) -> None:
    log = Log(tmp_path / "trade.log")
    context = make_context(sources={"trade": {"path": str(log.path)}})
    told = [sentence.format(secret).replace("{", "(").replace("}", ")") for sentence, secret in SECRETS.values()]
    for _first_scan_and_news in range(2):
        for kind, sentence in zip(SECRETS, told, strict=True):
            log.write(*(f"{head}{sentence}\n" for head in (FAILED, f"{UNKNOWN}{kind} ", SKIPPED)))
        log.quiet_line()
        done = scan(context, "trade")
        clock.move(minutes=5)
    assert done.findings_by_signature["unknown_error"] == len(SECRETS)

    with reading(context.engine) as connection:
        said = [health_page(connection, clock.now, ["kronos"]), write_report(connection, clock.now)]
        said += [
            plain_text(from_json(row)) for row in connection.execute(text("SELECT message FROM outbox")).scalars().all()
        ]
        for table in inspect(connection).get_table_names():
            said += [str(tuple(row)) for row in connection.execute(text(f"SELECT * FROM {table}"))]
    said.append(str(scan_single_file(log.path, context.settings).as_json()))
    everything = "\n".join(said)
    assert len(everything) > 10_000
    for kind, (_sentence, secret) in SECRETS.items():
        core = max(secret.replace("\n", " ").split(" "), key=len)
        core = core.removeprefix("https://hooks.slack.com/services/").removeprefix("KEY-----")
        assert core not in everything, kind
        assert core[-12:] not in everything, kind
