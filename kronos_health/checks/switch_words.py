"""What a person reads before answering: the evidence in lines, and the question in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from kronos_health.checks.observations.switch import changes_line
from kronos_health.domain.revisit import Decision
from kronos_health.domain.switch import Switch
from kronos_health.settings.models import Settings

_ROWS_SHOWN = 12


def summary_of_decision(decision: Decision, code_change: str | None) -> str:
    """The evidence of ``decision``: its words, every criterion with its figure, the standing, and the rows."""
    return "\n".join(_lines(decision, code_change))


def _lines(decision: Decision, code_change: str | None) -> Iterator[str]:
    yield decision.sentence
    if code_change:
        yield f"The settings alone do not run this variant. Production's code has to change first: {code_change}."
    for criterion in decision.criteria:
        state = criterion.state.value.replace("_", " ")
        yield f"{criterion.name.value}: {state} ({criterion.value}; asked for: {criterion.threshold})"
    for one in decision.standings:
        if one.variant == decision.variant and one.candidate == "production":
            yield (
                f"{one.passed} of {one.passed + one.failed} fresh processes passed on {one.days} days, a success rate "
                f"of at least {one.lower_bound:.3f} (95 %), confidence {one.confidence.value}"
            )
    rows = [f"{row.table}:{row.row_id}" for criterion in decision.criteria for row in criterion.evidence]
    shown = list(dict.fromkeys(rows))
    more = f" and {len(shown) - _ROWS_SHOWN} more" if len(shown) > _ROWS_SHOWN else ""
    if shown:
        yield f"Rows: {', '.join(shown[:_ROWS_SHOWN])}{more}"


def summary_of_failure(failed: Switch) -> str:
    """Why the way back is proposed."""
    since = f" since {failed.written_at:%Y-%m-%d %H:%M} UTC" if failed.written_at else ""
    return (
        f"Production runs {failed.target} as {failed.variant}{since}, and a deployment check is bad: {failed.problem}."
    )


def question(switch: Switch, settings: Settings, by_hand: str | None) -> str:
    """The whole question as Markdown. What came from rows or from the file stands in fences that it cannot end."""
    low, high = settings.bounds.kronos_inference_ms
    happens = (
        f"On approval nothing is written ({by_hand}): apply the diff by hand, it is noticed."
        if by_hand
        else f"On approval `{_inline(switch.file)}` is written, with a backup beside it, if it still is what this diff "
        "was made from. Then restart production from it."
    )
    parts = [
        f"**Changes**: {_inline(changes_line(switch))}",
        f"**Confidence**: {switch.confidence.value}",
        "**Evidence**",
        _fenced(switch.summary),
        "**The diff** (secrets masked)",
        _fenced(switch.diff, "diff"),
        happens,
        "Once production was restarted, the four deployment checks are watched; a bad one proposes the way back.",
        "A rejection needs a reason; it is kept, and the same evidence is not asked about again.",
    ]
    if not switch.is_way_back:
        parts.append(
            f"`[bounds] kronos_inference_ms` is {low:g} to {high:g} ms, stated for eager: predictions faster than that "
            "are reported until you lower it."
        )
    return "\n\n".join(parts)


def _fenced(text: str, language: str = "text") -> str:
    return f"````{language}\n{text.replace('````', '`` ``')}\n````"


def _inline(text: str) -> str:
    return text.replace("`", "'").replace("\n", " ")
