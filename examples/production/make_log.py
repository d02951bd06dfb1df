"""Write ``logs/trade_stock_e2e.log``: two days of the trading program as its team saw them, the same at every run.

On 29 October 2025 both models run compiled: Toto hits its recompile limit and loses its CUDA graphs, and Kronos fails
in every iteration because the outputs of its CUDA graphs are overwritten. From 30 October on, after the decision, both
run eager and predictions complete. torch's lines are worded as in 2.8, the program's by its three-clock formatter.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

ROOT = "/srv/stock-prediction"
TORCH = f"{ROOT}/.venv/lib/python3.12/site-packages/torch"
COLOURS = {"DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31}
SYMBOLS = ("ETHUSD", "BTCUSD", "UNIUSD", "AAPL", "MSFT", "NVDA")
COMPILED_AT, DECIDED_AT = datetime(2025, 10, 29, 20, 4, 11, tzinfo=UTC), datetime(2025, 10, 30, 9, 6, 30, tzinfo=UTC)


class Writer:
    """Lines of the program, its time going on with each."""

    def __init__(self, start: datetime) -> None:
        self.now = start
        self.chance = random.Random(20251030)  # noqa: S311 - a made-up log, not a secret
        self.lines: list[str] = []

    def wait(self, seconds: float) -> None:
        """Let time go by."""
        self.now += timedelta(seconds=seconds)

    def log(self, level: str, place: str, message: str) -> None:
        """One line of the program's formatter: three clocks, the place, a coloured level."""
        self.wait(self.chance.uniform(0.01, 0.4))
        zones = (ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Pacific/Auckland"))
        clocks = " | ".join(self.now.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %Z") for zone in zones)
        self.lines.append(f"{clocks} | {place} \x1b[{COLOURS[level]}m{level}\x1b[0m | {message}")

    def raw(self, *lines: str) -> None:
        """Lines that go to the same file without the formatter."""
        self.lines += lines

    def torch(self, text: str, place: str = "torch/_dynamo/convert_frame.py:1016", frame: str = "[4/8]") -> None:
        """A warning of torch: its prefix before every line."""
        stamp = self.now.strftime("W%m%d %H:%M:%S.%f")
        self.lines += [f"{stamp} 71842 {place}] {frame} {line}".rstrip() for line in text.split("\n")]


def start(out: Writer, compiled: bool) -> None:
    """The program starts and loads its models."""
    mode = "max-autotune" if compiled else "eager"
    out.log("INFO", "trade_stock_e2e.py:main:3003", "starting, paper trading on, symbols " + ", ".join(SYMBOLS))
    out.log("INFO", "trade_stock_e2e.py:main:3009", f"TOTO_DISABLE_COMPILE={int(not compiled)} ADD_LATEST=1")
    out.wait(9)
    out.log("INFO", "toto_wrapper.py:from_pretrained:412", f"Toto loaded in {mode} mode on cuda:0")
    out.wait(4)
    out.log(
        "INFO",
        "kronos_wrapper.py:from_pretrained:188",
        f"Kronos loaded in {mode} mode on cuda:0, NeoQuasar/Kronos-base",
    )


def market(out: Writer, lines: int) -> None:
    """What the program writes all day."""
    for _ in range(lines):
        out.wait(out.chance.uniform(1, 20))
        symbol = out.chance.choice(SYMBOLS)
        out.log(*out.chance.choice((
            ("INFO", "data_curate_daily.py:download:214", f"{symbol} bars: {out.chance.randint(580, 600)} rows"),
            ("DEBUG", "alpaca_wrapper.py:quote:97", f"{symbol} spread {out.chance.uniform(1, 9):.1f} bps"),
            ("INFO", "trade_stock_e2e.py:rank:1422", f"{symbol} ranked {out.chance.randint(1, 6)} of 6"),
            ("INFO", "positions.py:refresh:61", f"{out.chance.randint(0, 3)} open positions, margin fine"),
        )))  # fmt: skip


def toto_warms_up_compiled(out: Writer) -> None:
    """Recompilations until the limit, and graphs that are skipped."""
    where = f"{ROOT}/toto/toto/model/util.py"
    out.torch(
        "torch._dynamo hit config.recompile_limit (8)\n"
        f"   function: 'positional_embedding' ({where}:190)\n"
        "   last reason: 4/7: self._modules['kv_cache']._current_idx == 56\n"
        'To log all recompilation reasons, use TORCH_LOGS="recompiles".\n'
        "To diagnose recompilation issues, see https://pytorch.org/docs/main/torch.compiler_troubleshooting.html"
    )
    out.raw("skipping cudagraphs due to mutated inputs (2 instances)")
    out.wait(31)
    out.raw(
        "skipping cudagraphs due to mutated inputs (2 instances). Found from : ",
        f'   File "{ROOT}/toto/toto/model/util.py", line 244, in append',
        "    self._keys[:, start:end] = keys",
        "",
    )


def kronos_fails_compiled(out: Writer, symbol: str) -> None:
    """The error that made the team run eager, with the traceback the program logs."""
    out.log("INFO", "trade_stock_e2e.py:forecast:2964", f"{symbol} Kronos forecast starts, 600 rows, max_context 256")
    out.wait(out.chance.uniform(20, 40))
    out.log("ERROR", "trade_stock_e2e.py:forecast:2987", f"Kronos prediction failed for {symbol}")
    model = "external/kronos/model/kronos.py"
    stack = (
        ("trade_stock_e2e.py", 2981, "forecast", "result = self.kronos.predict_series(frame, self.timestamps)"),
        ("src/models/kronos_wrapper.py", 512, "predict_series", "return self._predict(frame, timestamps, pred_len)"),
        ("src/models/kronos_wrapper.py", 633, "_predict", "forecast = predictor.predict_batch(frames, stamps)"),
        (model, 648, "predict_batch", "preds = self.generate(x, x_stamp, y_stamp, pred_len)"),
        (model, 492, "generate", "preds = auto_regressive_inference(self.tokenizer, self.model, x)"),
        (model, 437, "auto_regressive_inference", "s2_logits = model.decode_s2(context, sample_pre)"),
    )
    out.raw("Traceback (most recent call last):")
    for file, line, function, code in stack:
        out.raw(f'  File "{ROOT}/{file}", line {line}, in {function}', f"    {code}", "    " + "^" * len(code))
    out.raw(
        f'  File "{TORCH}/_dynamo/eval_frame.py", line 736, in compile_wrapper',
        "    return fn(*args, **kwargs)",
        f'  File "{TORCH}/_inductor/output_code.py", line 584, in __call__',
        "    return self.current_callable(inputs)",
        "RuntimeError: Error: accessing tensor output of CUDAGraphs that has been overwritten by a subsequent run. "
        f'Stack trace: File "{ROOT}/external/kronos/model/kronos.py", line 276, in decode_s1',
        "    x = self.norm(x)",
        f'  File "{ROOT}/external/kronos/model/module.py", line 261, in forward',
        "    return output * self.weight. To prevent overwriting, clone the tensor outside of torch.compile() or call "
        "torch.compiler.cudagraph_mark_step_begin() before each model invocation.",
    )
    out.log("WARNING", "trade_stock_e2e.py:forecast:2993", f"{symbol} falls back to Toto")


def toto_predicts(out: Writer, symbol: str, compiled: bool) -> None:
    """One completed forecast of Toto: about 500 ms and 650 MB eager, 900 MB compiled."""
    milliseconds, memory = out.chance.gauss(505, 35), out.chance.gauss(900 if compiled else 650, 4)
    out.wait(milliseconds / 1000)
    out.log(
        "INFO", "toto_wrapper.py:forecast:688",
        f"Toto prediction completed for {symbol} in {milliseconds:.1f} ms (GPU memory {memory:.0f} MB)",
    )  # fmt: skip


def kronos_predicts(out: Writer, symbol: str) -> None:
    """One completed forecast of Kronos: three to five seconds and 336 MB."""
    seconds = min(max(out.chance.gauss(3.6, 0.4), 3.02), 4.9)
    out.wait(seconds)
    out.log(
        "INFO", "kronos_wrapper.py:predict_series:541",
        f"Kronos prediction completed for {symbol} in {seconds * 1000:.1f} ms "
        f"(GPU memory {out.chance.gauss(336, 1):.0f} MB)",
    )  # fmt: skip


def strategy(out: Writer, symbol: str, simulated: float, sharpe: float) -> None:
    """The return of a simulated strategy."""
    out.log("INFO", "backtest_test3_inline.py:evaluate:1880", f"{symbol} MaxDiff {simulated:.4f} Sharpe {sharpe:.2f}")


def days() -> Iterator[str]:
    """All lines of the log."""
    out = Writer(COMPILED_AT)
    start(out, compiled=True)
    toto_warms_up_compiled(out)
    for symbol in ("ETHUSD", "BTCUSD", "ETHUSD", "UNIUSD", "ETHUSD"):
        market(out, 14)
        kronos_fails_compiled(out, symbol)
        toto_predicts(out, symbol, compiled=True)
    market(out, 20)
    out.now = DECIDED_AT
    out.log("INFO", "trade_stock_e2e.py:main:3043", "source .env.compile: both models run eager")
    start(out, compiled=False)
    for turn in range(10):
        for symbol in ("ETHUSD", "BTCUSD", "UNIUSD"):
            market(out, 4)
            toto_predicts(out, symbol, compiled=False)
            if turn % 2 == 0 or symbol == "ETHUSD":
                kronos_predicts(out, symbol)
        strategy(out, "ETHUSD", 0.1043, 18.24)
        strategy(out, "BTCUSD", out.chance.gauss(0.021, 0.004), out.chance.gauss(4.1, 0.5))
    out.log("INFO", "trade_stock_e2e.py:main:3120", "market closed, next run tomorrow")
    yield from out.lines


if __name__ == "__main__":
    folder = Path(__file__).with_name("logs")
    folder.mkdir(exist_ok=True)
    (folder / "trade_stock_e2e.log").write_text("\n".join(days()) + "\n", encoding="utf-8")
