"""Settings come from a file, the environment and the faces; every wrong one is named with its origin and its fix."""

from __future__ import annotations

from pathlib import Path

import pytest

from kronos_health.settings.errors import SettingsError
from kronos_health.settings.loading import LoadedSettings, load_settings


def write(folder: Path, text: str) -> Path:
    path = folder / "kronos_health.toml"
    path.write_text(text, encoding="utf-8")
    return path


def lines_of(path: Path | None, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path, environ or {})
    return str(caught.value).splitlines()


def load(folder: Path, text: str = "", **environ: str) -> LoadedSettings:
    return load_settings(write(folder, text), environ)


class DescribePrecedence:
    def it_uses_defaults_without_any_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        loaded = load_settings(environ={})
        assert loaded.path is None
        assert loaded.settings.probe.iterations == 5
        assert loaded.settings.state_dir == tmp_path / "var"
        assert set(loaded.origins.values()) == {"default"}

    def it_takes_the_file_over_defaults_the_environment_over_the_file_and_overrides_over_all(
        self, tmp_path: Path
    ) -> None:
        path = write(tmp_path, "[probe]\niterations = 6\npredictions = 6\nseed = 6\n")
        environ = {"KRONOS_HEALTH__PROBE__PREDICTIONS": "7", "KRONOS_HEALTH__PROBE__SEED": "7"}
        loaded = load_settings(path, environ, {"probe.seed": (8, "Airflow connection probe")})
        assert (loaded.settings.probe.iterations, loaded.settings.probe.predictions, loaded.settings.probe.seed) == (
            6,
            7,
            8,
        )
        assert loaded.origins["probe.iterations"] == "kronos_health.toml"
        assert loaded.origins["probe.predictions"] == "environment variable KRONOS_HEALTH__PROBE__PREDICTIONS"
        assert loaded.origins["probe.seed"] == "Airflow connection probe"
        assert loaded.origins["probe.device"] == "default"

    def it_finds_the_file_in_the_current_folder_or_where_the_environment_says(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path, "[probe]\nseed = 1\n")
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        named = write(elsewhere, "[probe]\nseed = 2\n")
        monkeypatch.chdir(tmp_path)
        assert load_settings(environ={}).settings.probe.seed == 1
        assert load_settings(environ={"KRONOS_HEALTH_CONFIG": str(named)}).settings.probe.seed == 2
        assert load_settings(elsewhere, {}).path == named

    def it_says_where_a_default_was_written_out_in_the_file(self, tmp_path: Path) -> None:
        loaded = load(tmp_path, "[probe]\n[upstream]\ntorch_package = 'torch'\n")
        assert loaded.origins["upstream.torch_package"] == "kronos_health.toml"
        assert loaded.origins["upstream.kronos_ref"] == "default"

    def it_lets_one_variable_move_all_state(self, tmp_path: Path) -> None:
        loaded = load(tmp_path, "state_dir = 'here'", KRONOS_HEALTH_STATE_DIR="/srv/state")
        assert loaded.settings.state_dir == Path("/srv/state")
        assert loaded.settings.database_url == "sqlite:////srv/state/kronos_health.db"


class DescribeTheEnvironment:
    @pytest.mark.parametrize("raw", ["eager,compiled_clone", '["eager", "compiled_clone"]', " eager , compiled_clone "])
    def it_reads_lists_as_json_or_separated_by_commas(self, tmp_path: Path, raw: str) -> None:
        loaded = load(tmp_path, KRONOS_HEALTH__PROBE__VARIANTS=raw)
        assert loaded.settings.probe.variants == ("eager", "compiled_clone")

    def it_reads_tables_as_json(self, tmp_path: Path) -> None:
        loaded = load(tmp_path, KRONOS_HEALTH__PROBE='{"iterations": 9, "evaluation": {"rows": 300}}')
        assert loaded.settings.probe.iterations == 9
        assert loaded.settings.probe.evaluation.rows == 300
        assert loaded.origins["probe.evaluation.rows"] == "environment variable KRONOS_HEALTH__PROBE"

    def it_reads_lists_of_tables_as_json(self, tmp_path: Path) -> None:
        raw = '[{"start": "20:00", "end": "2:00"}, {"days": ["sat"], "timezone": "UTC"}]'
        loaded = load(tmp_path, KRONOS_HEALTH__PROBE__BLACKOUT=raw)
        assert [str(window) for window in loaded.settings.probe.blackout] == [
            "mon tue wed thu fri 20:00-02:00 America/New_York",
            "sat 09:30-16:00 UTC",
        ]
        assert loaded.origins["probe.blackout"] == "environment variable KRONOS_HEALTH__PROBE__BLACKOUT"

    def it_ignores_an_empty_variable_unless_empty_is_a_value(self, tmp_path: Path) -> None:
        text = "[slack]\ntoken = 'xoxb'\n[probe]\niterations = 6\n"
        loaded = load(tmp_path, text, KRONOS_HEALTH__PROBE__ITERATIONS="", KRONOS_HEALTH__SLACK__TOKEN="")
        assert loaded.settings.probe.iterations == 6
        assert loaded.settings.slack.token.get_secret_value() == ""

    def it_adds_to_tables_of_free_names_instead_of_replacing_them(self, tmp_path: Path) -> None:
        loaded = load(
            tmp_path,
            KRONOS_HEALTH__TARGETS__TOTO__SIZE="base",
            KRONOS_HEALTH__PRODUCTION__EXPECTED__PAPER="1",
            KRONOS_HEALTH__TARGETS__TOTO__OPTIONS__Depth="3",
        )
        assert set(loaded.settings.targets) == {"kronos", "toto"}
        assert loaded.settings.production.expected == {"TOTO_DISABLE_COMPILE": "1", "ADD_LATEST": "1", "PAPER": "1"}
        assert loaded.settings.targets["toto"].options == {"Depth": "3"}

    def it_finds_a_name_that_is_already_written_in_whatever_case(self, tmp_path: Path) -> None:
        text = "[sources.Trading]\npath = 'a.log'\n"
        loaded = load(tmp_path, text, KRONOS_HEALTH__SOURCES__TRADING__TIMEZONE="America/New_York")
        assert loaded.settings.sources["Trading"].timezone == "America/New_York"


class DescribePaths:
    def it_counts_them_from_the_folder_of_the_file(self, tmp_path: Path) -> None:
        (tmp_path / "weights" / "kronos").mkdir(parents=True)
        loaded = load(
            tmp_path,
            "state_dir = 'state'\n[production]\nenv_file = '../.env.compile'\n"
            "[sources.a]\npath = 'logs/a.log'\n[targets.kronos]\nweights = 'weights/kronos'\n"
            "tokenizer = 'NeoQuasar/Kronos-Tokenizer-base'\npython_path = ['src']\n"
            "[database]\nurl = 'sqlite:///history.db'\n",
        )
        settings = loaded.settings
        assert settings.state_dir == tmp_path / "state"
        assert settings.production.env_file == tmp_path.parent / ".env.compile"
        assert settings.sources["a"].path == str(tmp_path / "logs" / "a.log")
        assert settings.targets["kronos"].weights == str(tmp_path / "weights" / "kronos")
        assert settings.targets["kronos"].tokenizer == "NeoQuasar/Kronos-Tokenizer-base"
        assert settings.targets["kronos"].python_path == (tmp_path / "src",)
        assert settings.database_url == f"sqlite:///{tmp_path}/history.db"

    def it_keeps_the_link_that_an_environments_python_is(self, tmp_path: Path) -> None:
        link = tmp_path / "env" / "bin" / "python"
        link.parent.mkdir(parents=True)
        link.symlink_to("/usr/bin/env")
        loaded = load(tmp_path, "[targets.kronos]\ninterpreter = 'env/bin/python'\n")
        assert loaded.settings.targets["kronos"].interpreter == link

    def it_looks_a_bare_interpreter_up_on_the_path(self, tmp_path: Path) -> None:
        python = tmp_path / "python3.99"
        python.write_text("#!/bin/sh\n")
        python.chmod(0o755)
        loaded = load(tmp_path, "[targets.kronos]\ninterpreter = 'python3.99'\n", PATH=str(tmp_path))
        assert loaded.settings.targets["kronos"].interpreter == python

    def it_leaves_addresses_alone(self, tmp_path: Path) -> None:
        loaded = load(tmp_path, "[database]\nurl = 'postgresql://h/n'\n")
        assert loaded.settings.database_url == "postgresql://h/n"


class DescribeWrongSettings:
    @pytest.mark.parametrize(
        ("text", "line"),
        [
            (
                "[probe]\niteratons = 4",
                "probe.iteratons = 4 (kronos_health.toml): is no setting. Did you mean probe.iterations?",
            ),
            ("prob = 3", "prob = 3 (kronos_health.toml): is no setting. Did you mean probe?"),
            (
                "[sources.a]\npath = 's3://me:hunter2@logs/a.log'",
                (
                    "sources.a.path = 's3://********@logs/a.log' (kronos_health.toml): must carry no user or password: "
                    "those belong into options or the library's own files. Expected: the live file, a folder, a "
                    "pattern such as /var/log/trading/*.log, or an address such as s3://bucket/logs/*.log; rotated "
                    "siblings (.1, .2.gz, -YYYYMMDD …) are found beside each."
                ),
            ),
            (
                "[targets.kronos]\nloader = 'kronoss'",
                (
                    "targets.kronos.loader = 'kronoss' (kronos_health.toml): is no loader. The default is 'kronos': "
                    "kronos (sktime copy), kronos_checkout (upstream checkout), production_wrapper, toto, or "
                    "module:factory."
                ),
            ),
            (
                "[probe]\niteration_deadline_seconds = inf",
                (
                    "probe.iteration_deadline_seconds = inf (kronos_health.toml): must be a finite number. "
                    "The default is 900.0."
                ),
            ),
            (
                "[probe.evaluation]\nrows = 100",
                (
                    "probe.evaluation.rows = 100 (kronos_health.toml): is less than one window and its forecast. "
                    "Write 257 or more, or lower lookback and max_context."
                ),
            ),
            (
                "[probe]\niterations = 'five'",
                "probe.iterations = 'five' (kronos_health.toml): must be a whole number. The default is 5.",
            ),
            (
                "[probe]\niterations = 0",
                "probe.iterations = 0 (kronos_health.toml): must be 1 or more. The default is 5.",
            ),
            (
                "[probe]\ndevice = 'cudaa'",
                "probe.device = 'cudaa' (kronos_health.toml): must be one of auto, cpu, cuda. Did you mean 'cuda'?",
            ),
            (
                "[candidates]\nindex = 'https://me:hunter2@mirror/simple'",
                (
                    "candidates.index = 'https://********@mirror/simple' (kronos_health.toml): must carry no user or "
                    "password: those belong into pip's own configuration. The default is '': package index asked "
                    "beside pip's own, e.g. one with CPU builds of torch."
                ),
            ),
            (
                "[probe]\nvariants = 'eager'",
                (
                    "probe.variants = 'eager' (kronos_health.toml): must be a list in square brackets. "
                    "The default is ['eager', 'compiled']."
                ),
            ),
            (
                "state_dir = 5",
                "state_dir = 5 (kronos_health.toml): must be a path in quotes. The default is 'var'.",
            ),
            (
                "[sources.a]\ntimezone = 'UTC'",
                (
                    "sources.a.path: is missing. Add path = … under [sources.a]: the live file, a folder, a "
                    "pattern such as /var/log/trading/*.log, or an address such as s3://bucket/logs/*.log; rotated "
                    "siblings (.1, .2.gz, -YYYYMMDD …) are found beside each."
                ),
            ),
            (
                "[bounds]\ntoto_inference_ms = [1]",
                (
                    "bounds.toto_inference_ms = [1] (kronos_health.toml): has the wrong number of values. "
                    "The default is [0.0, 1000.0]."
                ),
            ),
            (
                "[bounds]\ntoto_inference_ms = [9, 1]",
                (
                    "bounds.toto_inference_ms = [9, 1] (kronos_health.toml): the lower bound is above the upper. "
                    "Write [1, 9]."
                ),
            ),
            (
                "[probe]\nwarmups = [-1]",
                (
                    "probe.warmups = -1 (kronos_health.toml): must be 0 or more. The default is [0, 1, 2, 3, 5]: "
                    "warm-up calls of compiled variants before their predictions: each iteration takes the next number."
                ),
            ),
            (
                "[probe]\ntargets = ['krones']",
                "probe.targets = 'krones' (kronos_health.toml): names no target. Did you mean kronos?",
            ),
            ("[slack]\ntoken = 5", "slack.token = ******** (kronos_health.toml): must be text in quotes."),
            (
                "[probe]\nseed = 3\n[targets]",
                "targets = {} (kronos_health.toml): at least one [targets.NAME] table is needed.",
            ),
            ("probe = 3", "probe = 3 (kronos_health.toml): must be a table."),
            (
                "[regression]\nwindow = 4",
                (
                    "regression.window = 4 (kronos_health.toml): holds fewer probes than "
                    "regression.minimum_sample = 6 asks for. Write 6 or more."
                ),
            ),
            (
                "[[probe.blackout]]\ntimezone = 'America/NewYork'",
                (
                    "probe.blackout.timezone = 'America/NewYork' (kronos_health.toml): is no time zone known here; "
                    "write a name such as America/New_York. "
                    "The default is 'America/New_York': time zone of start and end."
                ),
            ),
            (
                "[[probe.blackout]]\n[[probe.blackout]]\nend = '24:00'",
                (
                    "probe.blackout.end = '24:00' (kronos_health.toml): must be a time of day such as \"09:30\"; "
                    'midnight is "00:00".'
                ),
            ),
            (
                "[[probe.blackout]]\nstart = 930",
                (
                    'probe.blackout.start = 930 (kronos_health.toml): must be a time of day such as "09:30"; '
                    'midnight is "00:00".'
                ),
            ),
            (
                "[[probe.blackout]]\ndays = ['monday']",
                (
                    "probe.blackout.days = 'monday' (kronos_health.toml): must be one of "
                    "mon, tue, wed, thu, fri, sat, sun. Did you mean 'mon'?"
                ),
            ),
            (
                "[[probe.blackout]]\nbegin = '9:30'",
                (
                    "probe.blackout.begin = '9:30' (kronos_health.toml): is no setting. "
                    "Known here: days, start, end, timezone, rehearsals."
                ),
            ),
            (
                "[probe]\nblackout = '9:30'",
                (
                    "probe.blackout = '9:30' (kronos_health.toml): must be a list of tables, "
                    "each written as [[probe.blackout]]. The default is []: "
                    "windows in which no probe runs, e.g. market hours."
                ),
            ),
        ],
    )
    def it_names_key_value_origin_and_fix_on_one_line(self, tmp_path: Path, text: str, line: str) -> None:
        assert [found.rstrip() for found in lines_of(write(tmp_path, text))] == [line]

    @pytest.mark.parametrize(
        ("name", "raw", "line"),
        [
            (
                "KRONOS_HEALTH__PROBE__ITERATION",
                "3",
                (
                    "KRONOS_HEALTH__PROBE__ITERATION (environment): is no setting. "
                    "Did you mean KRONOS_HEALTH__PROBE__ITERATIONS?"
                ),
            ),
            (
                "KRONOS_HEALTH__PROBE__SEED",
                "abc",
                (
                    "probe.seed = 'abc' (environment variable KRONOS_HEALTH__PROBE__SEED): must be a whole number. "
                    "The default is 1000."
                ),
            ),
            (
                "KRONOS_HEALTH_PROBE__SEED",
                "3",
                (
                    "KRONOS_HEALTH_PROBE__SEED (environment): is not read. "
                    "Two underscores follow KRONOS_HEALTH: KRONOS_HEALTH__PROBE__SEED."
                ),
            ),
            (
                "KRONOS_HEALTH__PROBE__SEED__X",
                "3",
                (
                    "KRONOS_HEALTH__PROBE__SEED__X (environment): is no setting. "
                    "probe.seed is a single value; nothing comes after it."
                ),
            ),
            (
                "KRONOS_HEALTH__PRODUCTION__EXPECTED",
                "A=1",
                (
                    "production.expected = 'A=1' (environment variable KRONOS_HEALTH__PRODUCTION__EXPECTED): "
                    "must be a JSON object (Expecting value at character 0). Write JSON."
                ),
            ),
        ],
    )
    def it_names_the_variable(self, tmp_path: Path, name: str, raw: str, line: str) -> None:
        assert lines_of(write(tmp_path, ""), {name: raw}) == [line]

    def it_reports_several_at_once(self, tmp_path: Path) -> None:
        path = write(tmp_path, "[probe]\nseed = 'a'\niterations = 'b'\n[logs]\nmax_seconds = -1\n")
        assert len(lines_of(path, {"KRONOS_HEALTH__X": "1"})) == 4

    def it_never_shows_a_secret(self, tmp_path: Path) -> None:
        path = write(tmp_path, "[slack]\ntoken = ['xoxb-secret']\n[targets.kronos.options]\napi_token = 5\n")
        assert "xoxb" not in "".join(lines_of(path))
        assert "targets.kronos.options.api_token = ********" in "".join(lines_of(path))


class DescribeAWrongFile:
    def it_names_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        assert lines_of(tmp_path / "none.toml") == [
            (
                f"{tmp_path}/none.toml (asked for on the command line): the settings file does not exist. "
                "Name an existing file, or none for defaults."
            )
        ]
        assert "environment variable KRONOS_HEALTH_CONFIG" in lines_of(None, {"KRONOS_HEALTH_CONFIG": "/none.toml"})[0]

    def it_names_line_and_column_of_what_is_not_toml(self, tmp_path: Path) -> None:
        assert "line 2, column 8" in lines_of(write(tmp_path, "[probe]\nseed = five\n"))[0]

    def it_says_that_a_file_is_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "kronos_health.toml"
        path.write_bytes(b"page_url = '\xff'")
        assert "is not UTF-8 text (byte 12)" in lines_of(path)[0]

    def it_says_that_a_folder_holds_no_settings(self, tmp_path: Path) -> None:
        assert "is a folder without kronos_health.toml" in lines_of(tmp_path)[0]
