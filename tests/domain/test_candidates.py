"""Names of candidates: read in any spelling people use, written in one."""

from __future__ import annotations

import pytest

from kronos_health.domain.candidates import (
    Candidate,
    CandidateError,
    candidate_words,
    of_commit,
    of_release,
    parse_candidate,
)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("production", "production"),
        ("torch=2.15.0", "torch=2.15.0"),
        ("torch==2.15.0", "torch=2.15.0"),
        (" torch = 2.15.0 ", "torch=2.15.0"),
        ("torch=2.13.0+cpu", "torch=2.13.0+cpu"),
        ("torch=2.16.0.dev20261101+cu130", "torch=2.16.0.dev20261101+cu130"),
        ("torch=latest", "torch=latest"),
        ("kronos=upstream/main", "kronos=upstream/main"),
        ("kronos=v1.2", "kronos=v1.2"),
        ("kronos=4f1c2ab012345678", "kronos=4f1c2ab01234"),
        ("python=/srv/py, with comma/bin/python", "python=/srv/py, with comma/bin/python"),
        ("kronos=upstream/main,torch=2.15.0", "torch=2.15.0,kronos=upstream/main"),
        ("python=/p/python, torch=latest", "torch=latest,python=/p/python"),
    ],
)
def it_reads_what_people_write_and_writes_it_one_way(text: str, name: str) -> None:
    assert parse_candidate(text).name == name
    assert parse_candidate(name).name == name


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("torch", "'torch' is none of torch=VERSION, kronos=REVISION and python=PATH"),
        ("trch=2.15.0", r"Did you mean torch=…\?"),
        ("torch=newest", "'newest' is no version"),
        ("torch=2.15.0;rm", "is no version"),
        ("torch=>2", "is no version"),
        ("torch=", "'' is no version"),
        ("kronos=--upload-pack=x", "is no revision"),
        ("kronos=a..b", "is no revision"),
        ("kronos=HEAD@{1}", "is no revision"),
        ("python=bin/python", "is no absolute path"),
        ("torch=2.14.0,torch=2.15.0", "names torch twice; give --candidate twice"),
        (f"python=/{'x' * 130}", "longer than 128 characters"),
        ("", "is none of"),
    ],
)
def it_says_what_is_wrong_with_a_name(text: str, told: str) -> None:
    with pytest.raises(CandidateError, match=told):
        parse_candidate(text)


def it_knows_what_may_be_something_else_tomorrow() -> None:
    assert [parse_candidate(text).moving for text in ("torch=latest", "kronos=upstream/main", "kronos=4f1c2ab")] == [
        True,
        True,
        True,
    ]
    commit = "4f1c2ab0123456789abcdef"
    assert of_commit(commit) == Candidate(kronos="4f1c2ab01234")
    assert not of_commit(commit).moving
    assert not of_release("2.15.0").moving
    assert parse_candidate("torch=latest,kronos=a/b").with_torch("2.15.0").with_commit(commit).name == (
        "torch=2.15.0,kronos=4f1c2ab01234"
    )


def it_has_words_for_people() -> None:
    assert candidate_words("torch=2.15.0,kronos=4f1c2ab01234") == "torch 2.15.0 and Kronos 4f1c2ab01234"
    assert candidate_words("production") == "production's environment"
    assert candidate_words("what an older program stored") == "what an older program stored"
