"""Mutants of the code, run in miniature: which runs each takes, and what they show.

The validation stream is a sixth of a trace's, and of the probes those run that the mutant's rules ask:
seven faults of an honest script are held against every probe in tests/dynamic/test_planted.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from golf_audit.dynamic.command import cache_folder
from golf_audit.dynamic.contract import Probe
from golf_audit.dynamic.miniature import Shape, prepare
from golf_audit.dynamic.probes import QUICK
from golf_audit.dynamic.probes.artifact import Artifact
from golf_audit.dynamic.probes.candidates import Candidates
from golf_audit.dynamic.probes.documents import Documents
from golf_audit.dynamic.probes.network import Reach
from golf_audit.dynamic.probes.order import Order
from golf_audit.dynamic.probes.prefix import Prefix
from golf_audit.dynamic.probes.recount import Recount
from golf_audit.dynamic.probes.swap import Swap
from golf_audit.dynamic.probes.training import TrainingData
from golf_audit.dynamic.probes.whole import Whole
from golf_audit.dynamic.run import Way, run
from golf_audit.dynamic.trace import Plan, Runner, trace
from golf_audit.joining.readers import seen
from golf_audit.model import Head, Verdict
from golf_audit.observation import Observation
from golf_audit.submission import Case, Submission
from tests.mutants.base import DATE, Files, Mutant, base
from tests.rule_harness import tree_of

SMALL = Shape(targets=1024, documents=16, train_tokens=8_000)
WHOLE = frozenset({"two_passes"})
"""Mutants that need a trace's own stream: golf_ref's pauses teach the model only where what was scored fills
two chunks, so that on a small stream a second pass is the first."""
ASKED: Mapping[str, Probe] = {
    "Q01": Candidates(),
    "Q02": Swap(),
    "M02": Documents(),
    "V02": Artifact(),
    "V03": TrainingData(),
}
"""Probes that one rule needs beside those that every trace has."""
BY_ITSELF = frozenset({"B01", "M02", "N01", "P02", "P03", "Q01", "Q02", "V03"})
"""Rules whose word does not rest on whether scores depend on later tokens."""


def folder(on: str, files: Files) -> Submission:
    """The submission of these files."""
    tree, home = tree_of(files), base(on)
    return Submission(Head(home.folder, tree.fingerprint), home.track, DATE, tree, None)


def broken(mutant: Mutant) -> tuple[str, ...]:
    """The rules that a mutant breaks: what it only opens is no fault of its own."""
    return tuple(rule for rule, verdict in mutant.changes.items() if verdict is not Verdict.UNDETERMINED)


def watched(
    one: Submission,
    rules: Sequence[str] | None,
    runner: Runner = run,
    *,
    sandbox: bool = True,
    shape: Shape = SMALL,
) -> Observation:
    """A trace that asks these rules; None: the folder itself, with a control run and a check without hooks.

    Without a control a clean comparison is its own: what does not repeat would have changed."""
    probes: tuple[Probe, ...] = (*QUICK, Prefix())
    if rules is not None:
        order = () if BY_ITSELF.issuperset(rules) else (Order(),)
        probes = (*order, Whole(), Recount(), Reach(), *(ASKED[rule] for rule in rules if rule in ASKED))
    small = partial(prepare, shape=shape, cache=cache_folder())
    kind = "full" if rules is None else "quick"
    return trace(one, Plan(small, probes, kind, way=Way(sandbox=sandbox), runner=runner))


def shape_of(name: str) -> Shape:
    """How long the streams are that a mutant needs."""
    return Shape() if name in WHOLE else SMALL


def run_alone(one: Submission, observation: Observation, rule: str) -> str:
    """What the run says of a rule, without what was read."""
    found = seen(Case(one, DATE, None, observation), rule)
    if found.violations:
        return "violation" if any(v.sure for v in found.violations) else "likely"
    return "clean" if found.clean else "silent"
