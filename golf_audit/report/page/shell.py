"""The page around a body: one file, its own style and script, and a policy under which nothing else runs or
loads. It names the two by their hashes: markup that got in all the same could neither run, style nor send.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import resources

from golf_audit.report import escape
from golf_audit.report.page.build import Child, h, text_of


@cache
def asset(name: str) -> str:
    """A text of this package: page.css, page.js."""
    return resources.files("golf_audit.report.page").joinpath(name).read_text(encoding="utf-8")


def policy() -> str:
    """The content security policy of every page."""
    return "; ".join(
        [
            "default-src 'none'",
            f"style-src {_source(asset('page.css'))}",
            f"script-src {_source(asset('page.js'))}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
        ]
    )


def page(title: str, *body: Child) -> str:
    """A whole document. Style and script are this package's own: the writer leaves both as they are."""
    style, script = h("style"), h("script")
    style.text, script.text = asset("page.css"), asset("page.js")
    document = h(
        "html",
        h(
            "head",
            h("meta", charset="utf-8"),
            h("meta", http_equiv="Content-Security-Policy", content=policy()),
            h("meta", name="viewport", content="width=device-width, initial-scale=1"),
            h("meta", name="referrer", content="no-referrer"),
            h("meta", name="color-scheme", content="light dark"),
            h("title", title),
            style,
        ),
        h("body", *body, script),
        lang="en",
    )
    return "<!doctype html>\n" + escape.page_text(text_of(document)) + "\n"


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"
