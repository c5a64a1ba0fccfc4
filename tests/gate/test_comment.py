"""The one comment: whose it is, when it is written, and what the token is used for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from golf_audit.gate.comment import publish, set_status
from golf_audit.gate.event import PullRequest
from golf_audit.gate.page import COMMENT_CAP
from golf_audit.gate.rest import Rest, RestError
from golf_audit.report.markdown import MARKER

from .server import REPOSITORY, GitHub

HEAD = "a" * 40
PR = PullRequest(7, REPOSITORY, "main", HEAD)
BODY = f"{MARKER}\n## golf-audit: FAIL\n"


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub().serving() as served:
        served.pull(7, HEAD)
        yield served


@pytest.fixture
def rest(github: GitHub) -> Rest:
    return Rest(github.address, "a-token", pause=0.0)


def test_it_is_posted_once_and_then_edited(github: GitHub, rest: Rest) -> None:
    assert publish(rest, PR, BODY).says == "commented"
    assert publish(rest, PR, BODY).says == "the comment says so already"
    assert publish(rest, PR, BODY + "more\n").says == "the comment is up to date"
    assert [c["body"] for c in github.comments] == [BODY + "more\n"]
    assert [a for a in github.asked if not a.startswith("GET")] == [
        f"POST /repos/{REPOSITORY}/issues/7/comments",
        f"PATCH /repos/{REPOSITORY}/issues/comments/100",
    ]


def test_only_a_comment_of_the_same_bot_that_begins_with_the_marker_is_edited(
    github: GitHub, rest: Rest
) -> None:
    others = [("someone", BODY), ("github-actions[bot]", "of another workflow"), ("other-bot[bot]", BODY)]
    others.append(("github-actions[bot]", f"> {MARKER} quoted"))
    for login, body in others:
        github.comment(login, body)
    publish(rest, PR, BODY)
    assert [(c["user"]["login"], c["body"]) for c in github.comments[:-1]] == others
    assert github.comments[-1]["body"] == BODY and len(github.comments) == 5


def test_its_own_comment_is_found_behind_hundreds_of_others(github: GitHub, rest: Rest) -> None:
    for number in range(230):
        github.comment("someone", f"comment {number}")
    github.comment("github-actions[bot]", BODY)
    assert publish(rest, PR, BODY + "x").says == "the comment is up to date"
    assert len(github.comments) == 231


def test_a_slow_run_does_not_speak_over_a_newer_head(github: GitHub, rest: Rest) -> None:
    github.pulls[0]["head"]["sha"] = "b" * 40
    assert publish(rest, PR, BODY).says == "no comment: the pull request has a newer head"
    assert github.comments == []


def test_where_there_is_nothing_to_report_a_comment_is_edited_but_not_begun(
    github: GitHub, rest: Rest
) -> None:
    assert publish(rest, PR, BODY, quiet=True).says == "no comment: there is nothing to report"
    publish(rest, PR, BODY)
    publish(rest, PR, f"{MARKER}\nNo submission\n", quiet=True)
    assert [c["body"] for c in github.comments] == [f"{MARKER}\nNo submission\n"]


def test_a_token_that_may_not_write_is_told_and_fails_nothing(github: GitHub, rest: Rest) -> None:
    github.may_write = False
    outcome = publish(rest, PR, BODY)
    assert outcome.refused and "as on pull requests from forks" in outcome.says
    assert set_status(rest, PR, "golf-audit", "success", "PASS", "").refused


def test_another_author_than_expected_is_told(github: GitHub, rest: Rest) -> None:
    github.login = "a-person"
    assert "each run adds a comment" in publish(rest, PR, BODY).says
    assert publish(rest, PR, BODY + "x", bot="a-person").says == "the comment is up to date"


@pytest.mark.parametrize("line", ["x" * 99 + "\n", "x" * 70_000])
def test_no_comment_is_longer_than_github_takes(github: GitHub, rest: Rest, line: str) -> None:
    publish(rest, PR, BODY + line * 800)
    (comment,) = github.comments
    assert len(comment["body"]) <= COMMENT_CAP and comment["body"].startswith(BODY)
    assert comment["body"].endswith("the uploaded one is whole.\n")


def test_a_body_without_the_marker_gets_it(github: GitHub, rest: Rest) -> None:
    publish(rest, PR, "words")
    assert github.comments[0]["body"] == f"{MARKER}\nwords"


def test_reading_is_tried_again_and_writing_is_not(github: GitHub, rest: Rest) -> None:
    github.fails = [502, 503]
    assert publish(rest, PR, BODY).says == "commented"
    github.fails = [502]
    with pytest.raises(RestError, match="GitHub answered 502"):
        rest.write("POST", f"/repos/{REPOSITORY}/issues/7/comments", {"body": "x"})
    assert len(github.comments) == 1
    github.fails = [500] * 3
    with pytest.raises(RestError, match="out of order"):
        publish(rest, PR, BODY)


def test_a_redirect_is_not_followed(github: GitHub, rest: Rest) -> None:
    """It would carry the token to whatever address it names."""
    github.fails = [301]
    with pytest.raises(RestError):
        publish(rest, PR, BODY)
    assert not [asked for asked in github.asked if "elsewhere" in asked]


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://x", "http://127.0.0.1:1"])
def test_what_is_no_server_is_one_clear_line(address: str) -> None:
    with pytest.raises(RestError, match=r"not the address|no answer"):
        publish(Rest(address, "", pause=0.0), PR, BODY)


def test_a_status_fits_and_leads_to_the_run(github: GitHub, rest: Rest) -> None:
    set_status(rest, PR, "golf-audit", "failure", "F" * 300, "https://github.com/x")
    ((commit, body),) = github.statuses
    assert commit == HEAD and len(body["description"]) == 140 and body["target_url"] == "https://github.com/x"


def test_nothing_in_a_page_notifies_anybody(with_names: Callable[[str], str]) -> None:
    page = with_names("@someone openai/parameter-golf#1 https://example.org ![x](y)")
    assert "`@someone`" in page
    assert not [word for word in page.replace("`@someone`", "").split() if word.startswith("@")]


@pytest.fixture
def with_names() -> Callable[[str], str]:
    from golf_audit.gate.audit import Judged
    from golf_audit.gate.page import page

    return lambda text: page(Judged((), (f"changes files of the gate ({text})",)), (), False, False)
