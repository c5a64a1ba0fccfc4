"""One comment on a pull request, kept up to date, and a commit status.

Only a comment of the same author that begins with the report's marker is edited: anybody can write a marker.
Nothing is posted for a head that is no longer the pull request's, so a slow run never hides a newer one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from golf_audit.gate.event import PullRequest
from golf_audit.gate.page import COMMENT_CAP
from golf_audit.gate.rest import Rest, RestError
from golf_audit.report.markdown import MARKER

BOT = "github-actions[bot]"
"""The author of what a workflow's own token writes."""
_REFUSED = (401, 403, 404)
_CUT = "\n\nThe report does not fit into a comment; the uploaded one is whole.\n"


@dataclass(frozen=True)
class Outcome:
    """What became of it, in a sentence. `refused`: the token may not write."""

    says: str
    refused: bool = False


def publish(rest: Rest, pr: PullRequest, body: str, bot: str = BOT, quiet: bool = False) -> Outcome:
    """Write the comment, or edit the one that is there. `quiet` edits one, but does not begin one."""
    told = _fitting(body)
    place = f"/repos/{pr.repository}/issues/{pr.number}/comments"
    try:
        now = rest.get(f"/repos/{pr.repository}/pulls/{pr.number}")
        if now["head"]["sha"] != pr.head:
            return Outcome("no comment: the pull request has a newer head")
        own = next((c for c in rest.items(place) if _is_own(c, bot)), None)
        if own is None:
            if quiet:
                return Outcome("no comment: there is nothing to report")
            return _post(rest, place, told, bot)
        if own["body"] == told:
            return Outcome("the comment says so already")
        rest.write("PATCH", f"/repos/{pr.repository}/issues/comments/{int(own['id'])}", {"body": told})
        return Outcome("the comment is up to date")
    except RestError as error:
        if error.status not in _REFUSED:
            raise
        return Outcome(
            f"no comment: the token may not write one, as on pull requests from forks ({error}); "
            "the step summary has the report",
            refused=True,
        )


def set_status(rest: Rest, pr: PullRequest, context: str, state: str, says: str, link: str) -> Outcome:
    """A commit status on the head: what a branch rule can require."""
    body = {"state": state, "context": context, "description": says[:140], "target_url": link}
    try:
        rest.write("POST", f"/repos/{pr.repository}/statuses/{pr.head}", body)
    except RestError as error:
        if error.status not in _REFUSED:
            raise
        return Outcome(f"no status: the token may not set one ({error})", refused=True)
    return Outcome(f"status {context}: {state}")


def _post(rest: Rest, place: str, body: str, bot: str) -> Outcome:
    author = _login(rest.write("POST", place, {"body": body}))
    if author != bot:
        return Outcome(
            f"commented as {author[:60]!r}, not as {bot!r}: name it by --bot, or each run adds a comment"
        )
    return Outcome("commented")


def _is_own(comment: Any, bot: str) -> bool:
    return _login(comment) == bot and str(comment.get("body", "")).startswith(MARKER)


def _login(comment: Any) -> str:
    user = comment.get("user") if isinstance(comment, dict) else None
    return str(user.get("login", "")) if isinstance(user, dict) else ""


def _fitting(body: str) -> str:
    """The body with its marker, cut at a line where it is too long."""
    whole = body if body.startswith(MARKER) else f"{MARKER}\n{body}"
    if len(whole) <= COMMENT_CAP:
        return whole
    return whole[: COMMENT_CAP - len(_CUT)].rpartition("\n")[0] + _CUT
