"""Two scripts against each other: packing, layout and names are no difference; another call is one."""

from __future__ import annotations

import ast
import base64
import datetime as dt
import lzma

from golf_audit.filetree import FileTree
from golf_audit.lineage.code import Matching, difference, match
from golf_audit.lineage.model import CodeDifference, Sameness
from golf_audit.lineage.settings import differences
from golf_audit.model import Head, Track
from golf_audit.submission import Submission
from tests.rule_harness import tree_of

SCRIPT = '''
import os
import torch
import torch.nn.functional as F

class Hyperparameters:
    ttt_enabled = bool(int(os.environ.get("TTT_ENABLED", "0")))
    matrix_lr = float(os.environ.get("MATRIX_LR", 0.02))

class GPT(torch.nn.Module):
    def __init__(self, width: int) -> None:
        """The model."""
        super().__init__()
        self.head = torch.nn.Linear(width, 100)

    def forward(self, tokens):
        return self.head(tokens)

def score(model, tokens):
    total = 0.0
    for batch in tokens.split(64):
        total += F.cross_entropy(model(batch[:-1]), batch[1:], reduction="sum").item()
    return total / tokens.numel()

def adapt(model, tokens):
    optimizer = torch.optim.AdamW(model.parameters(), lr=Hyperparameters.matrix_lr)
    for _ in range(3):
        loss = F.cross_entropy(model(tokens[:-1]), tokens[1:])
        loss.backward()
        optimizer.step()

def main():
    model = GPT(64)
    tokens = torch.load("val.bin")
    print("val_bpb", score(model, tokens))

if __name__ == "__main__":
    main()
'''


def tree(script: str, **other: str) -> FileTree:
    return tree_of({"train_gpt.py": script, "README.md": "# run\n", **other})


def submission(script: str, **other: str) -> Submission:
    files = tree(script, **other)
    return Submission(
        Head("records/x/2026-04-20_A", files.fingerprint),
        Track.RECORD,
        dt.date(2026, 4, 20),
        files,
    )


def compared(ours: str, theirs: str = SCRIPT) -> tuple[CodeDifference, Matching]:
    child, parent = submission(ours), submission(theirs)
    found = match(child, parent)
    return difference(child, parent, found), found


def packed(script: str) -> str:
    payload = base64.b85encode(lzma.compress(script.encode())).decode()
    return f"import lzma, base64\nexec(lzma.decompress(base64.b85decode({payload!r})).decode())\n"


def test_the_same_script() -> None:
    found, _ = compared(SCRIPT)
    assert found.sameness is Sameness.BYTES
    assert found.share == 1


def test_packed_and_laid_out_otherwise_is_the_same_code() -> None:
    plain = ast.unparse(ast.parse(SCRIPT))  # no comments, another layout
    for script in (
        packed(SCRIPT),
        packed(plain),
        plain,
        packed(plain).replace("import lzma, base64", "import base64,lzma"),
    ):
        found, _ = compared(script)
        assert found.sameness is Sameness.CODE, script
        assert not found.renamed


def test_docstrings_and_annotations_are_no_difference() -> None:
    script = SCRIPT.replace('        """The model."""\n', "").replace(": int", "").replace(" -> None", "")
    assert compared(script)[0].sameness is Sameness.CODE


def test_other_names_are_the_same_code() -> None:
    script = SCRIPT
    for old, new in (
        ("score", "f1"),
        ("adapt", "f2"),
        ("total", "t"),
        ("batch", "b"),
        ("optimizer", "o"),
        ("GPT", "M"),
    ):
        script = script.replace(old, new)
    found, _ = compared(script)
    assert found.sameness is Sameness.CODE
    assert found.renamed


def test_a_call_of_something_else_is_no_renaming() -> None:
    """`main` that adapts instead of scoring has the same shape; the parent knows both names."""
    script = SCRIPT.replace(
        'print("val_bpb", score(model, tokens))', 'print("val_bpb", adapt(model, tokens))'
    )
    found, _ = compared(script)
    assert found.changed == ("main",)


def test_changed_added_and_removed_functions_are_named() -> None:
    script = SCRIPT.replace("range(3)", "range(21)").replace(
        "def main", "def extra(x):\n    return x + 1\n\ndef main"
    )
    script = script.replace("    def forward(self, tokens):\n        return self.head(tokens)\n", "")
    found, _ = compared(script)
    assert (found.sameness, found.changed, found.added, found.removed) == (
        Sameness.CHANGED,
        ("adapt",),
        ("extra",),
        ("GPT.forward",),
    )
    assert 0.5 < found.share < 1


def test_a_function_that_was_changed_and_renamed_is_a_changed_one() -> None:
    script = SCRIPT.replace("def adapt", "def pre_quant_ttt").replace("range(3)", "range(21)")
    found, pairs = compared(script)
    assert found.changed == ("pre_quant_ttt",)
    assert [(p.ours.name, p.theirs.name) for p in pairs.pairs if not p.same] == [("pre_quant_ttt", "adapt")]


def test_a_script_that_does_not_parse_is_not_compared() -> None:
    found, _ = compared("def broken(:\n")
    assert found.sameness is Sameness.UNREAD
    assert "this submission" in found.why


def test_settings_that_differ_in_value_or_exist_on_one_side_only() -> None:
    more = SCRIPT.replace('"0")', '"1")').replace(
        "0.02))",
        '0.020))\n    extra = int(os.environ.get("EXTRA", 4))\n    debug = int(os.environ.get("DEBUG", 0))',
    )
    ours = submission(more, **{"run.sh": "SEED=1 RUN_ID=a DATA_PATH=/x/data python train_gpt.py\n"}).config
    found = differences(ours, submission(SCRIPT).config)
    assert [(d.name, d.theirs, d.ours, d.switch) for d in found if d.name != "DATA_PATH"] == [
        ("TTT_ENABLED", "0", "1", True),
        ("EXTRA", None, "4", False),
        ("DEBUG", None, "0", True),
    ]
    assert not {"SEED", "RUN_ID"} & {d.name for d in found}, "they tell runs apart, not configurations"
