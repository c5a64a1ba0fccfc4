"""What `golf-audit rerun` prints: the plan before, progress meanwhile, the result afterwards. Plain lines."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from golf_audit.model import Assessment, Report, Ruling, Severity, Verdict
from golf_audit.outcome import fails, is_open
from golf_audit.report.escape import PROSE_CAP, terminal
from golf_audit.rerun.local import Progress
from golf_audit.rerun.plan import Plan

LINE_CAP = 40_000
"""Characters of a line of the plan: a person agrees to the whole command."""
MEASURED = ("S03", "A03", "A04", "B04", "S01", "S02")
"""The rules that a ledger of reruns speaks to, the decisive one first."""


COUNTED = ("T01", "T02", "Q03", "P01", "B04")
"""The rules that the positions of an instrumented run speak to."""


def plan_page(plan: Plan, data: str, sbatch: str = "") -> str:
    """Everything that a person agrees to."""
    return _page(_plan_lines(plan, data, sbatch), LINE_CAP)


def _plan_lines(plan: Plan, data: str, sbatch: str) -> Iterator[str]:
    seeds = ", ".join(map(str, plan.seeds))
    yield f"{plan.submission.name}   {plan.submission.track.value} track   {plan.report.claim}"
    what = "instrumented run" if plan.instrument else "rerun"
    yield f"{what} of {len(plan.seeds)} seed{'s' * (len(plan.seeds) != 1)}: {seeds}"
    if plan.instrument:
        yield "  every scored and adapted position is followed; slower, not compiled, and no timed seed:"
        yield "  its score is compared with nothing"
    yield from _check_lines(plan.report)
    yield ""
    yield "command of the first seed, in a fresh folder with the program's files:"
    environ = [f"{name}={shlex.quote(value)}" for name, value in plan.environ(plan.seeds[0]).items()]
    yield f"  {' '.join([*environ, shlex.join(plan.command(plan.seeds[0]))])}"
    origins = ", ".join(f"{n} from {o.value}" for o, n in plan.submission.config.counts.items() if n)
    yield f"configuration: {len(plan.submission.config.settings)} settings ({origins});"
    yield "  given to the run is what differs from the code's defaults, and the seed"
    yield f"data: {data}, which the run sees as ./data"
    yield f"the line that counts: {plan.tag or 'the last result after quantisation'}"
    yield from (f"careful: {problem}" for problem in plan.problems)
    yield from _package_lines(plan)
    time = f"about {plan.expected_s:.0f} s a seed as logged or allowed, ended after {plan.limit_s:.0f} s"
    yield f"time: {time}; {plan.processes} process{'es' * (plan.processes != 1)}"
    yield f"cost: about {plan.gpu_hours:.2f} GPU hours if each process has a GPU"
    if sbatch:
        yield ""
        yield "the job of the first seed:"
        yield from (f"  {line}" for line in sbatch.splitlines())


def _check_lines(report: Report) -> Iterator[str]:
    failed = [r.rule.id for r in report.rulings if fails(r)]
    opened = [r.rule.id for r in report.rulings if is_open(r)]
    if failed:
        yield f"check: FAIL ({' '.join(failed)}). A rerun measures the score; it mends none of these:"
        yield "  what is run would not stand even if its number were reproduced"
    elif opened:
        yield f"check: OPEN ({' '.join(opened)}). A rerun measures the score; it decides none of these"
    else:
        yield "check: PASS"
    yield from (f"check crashed in {crash.rule}: {crash.error}" for crash in report.crashes)


def _package_lines(plan: Plan) -> Iterator[str]:
    packages = plan.packages
    if packages.missing:
        yield f"packages to install, in the sandbox, from wheels alone: {', '.join(packages.missing)}"
    elif packages.present:
        yield f"packages: all {len(packages.present)} of requirements.txt are here"
    for line in packages.refused:
        yield f"refused in requirements.txt:{line.line}: {line.text} ({line.why})"


def progress_line(progress: Progress, expected_s: float) -> str:
    """ "seed 42   128 s   step 150/300   loss 2.2600   about 90 s left"."""
    parts = [f"seed {progress.seed}", f"{progress.seconds:.0f} s"]
    run = progress.run
    if run is not None and run.steps is not None:
        parts.append(f"step {run.steps.step}" + (f"/{run.steps.planned}" if run.steps.planned else ""))
        loss = run.steps.figures.get("train_loss")
        parts += [f"loss {loss:.4f}"] if loss is not None else []
    if run is not None and run.finals:
        parts.append(f"{run.finals[-1].name} {run.finals[-1].bpb:.5f} bpb")
    elif run is not None and run.validation is not None:
        parts.append(f"validation {run.validation.bpb:.4f} bpb")
    left = expected_s - progress.seconds
    parts.append(f"about {left:.0f} s left" if left > 0 else "longer than the claimed logs")
    return terminal("   ".join(parts))


def result_page(report: Report, head: str) -> str:
    """The rulings that a ledger speaks to, and its head."""
    return _page(_result_lines(report, head))


def counted_page(report: Report, head: str) -> str:
    """The rulings that an instrumented run speaks to, and the ledger's head."""
    return _page(_counted_lines(report, head))


def _counted_lines(report: Report, head: str) -> Iterator[str]:
    for ruling in report.rulings:
        if ruling.verdict is not Verdict.NOT_APPLICABLE:
            yield f"{ruling.rule.id} {ruling.verdict.value.upper()}: {ruling.reason}"
            evidence = (e for finding in ruling.assessment.findings for e in finding.evidence)
            facts = (*evidence, *ruling.assessment.basis, *ruling.assessment.notes)
            yield from (f"  {fact.says}" for fact in facts if "ledger entr" in fact.says)
    yield f"ledger head {head}"


def _result_lines(report: Report, head: str) -> Iterator[str]:
    rulings = {ruling.rule.id: ruling for ruling in report.rulings}
    for rule in MEASURED:
        if rule in rulings:
            yield from _ruling_lines(rulings[rule])
    yield f"ledger head {head}"


def _ruling_lines(ruling: Ruling) -> Iterator[str]:
    if ruling.rule.id == "S03":
        yield f"S03 {ruling.verdict.value.upper()}: {ruling.reason}"
        yield from (f"  {row}" for row in _rows(ruling.assessment))
    elif ruling.verdict is not Verdict.NOT_APPLICABLE:
        yield f"{ruling.rule.id} {ruling.verdict.value}: {ruling.reason}"
        facts = (*ruling.assessment.basis, *ruling.assessment.notes)
        yield from (f"  {fact.says}" for fact in facts if "ledger entr" in fact.says)
    if ruling.verdict is Verdict.FAIL and ruling.rule.severity is Severity.DISQUALIFYING:
        yield from (f"  law: {cite.source}: {cite.says}" for cite in ruling.rule.cites)


def _rows(assessment: Assessment) -> Iterator[str]:
    """Seeds, tests and failed runs, without the head, which ends the page."""
    facts = [*assessment.notes, *(e for f in assessment.findings for e in f.evidence[1:])]
    yield from (fact.says for fact in facts if not fact.says.startswith("ledger head"))


def _page(lines: Iterator[str], cap: int = PROSE_CAP) -> str:
    return "\n".join(terminal(line, cap) for line in lines) + "\n"
