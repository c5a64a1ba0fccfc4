"""`golf-audit rerun`: check first, show the plan, ask, run, and hold the claim against the ledger."""

from __future__ import annotations

import datetime as dt
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from golf_audit import registry
from golf_audit.audit import audit
from golf_audit.errors import AuditError, InternalError
from golf_audit.ledger import read_ledger
from golf_audit.model import Report, Verdict
from golf_audit.report import rerunpage
from golf_audit.report.escape import terminal
from golf_audit.rerun.launch import refuse_without_sandbox
from golf_audit.rerun.local import AlteredLedger, Place, Told, rerun_here
from golf_audit.rerun.plan import Launcher, Plan, claimed_seeds, plan_rerun
from golf_audit.rerun.slurm import rerun_by_slurm, sbatch_script
from golf_audit.submission import Case, Submission

_CODE = {Verdict.PASS: 0, Verdict.FAIL: 1}
OPEN, ALTERED = 3, 1
_UNSETTLED = {Verdict.UNDETERMINED, Verdict.NEEDS_RULING}


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    submission: Submission
    as_of: dt.date | None
    seeds: tuple[int, ...]
    launcher: Launcher
    ledger: Path
    data: Path
    processes: int | None
    unsafe: bool
    instrument: bool = False
    install: bool = True  # what requirements.txt names and this environment lacks


@dataclass(frozen=True)
class Result:
    """What is printed at the end, and the exit code."""

    page: str
    code: int


class CouldNotRun(InternalError):
    """The run itself could not be made: exit code 4."""


def rerun_submission(
    request: Request, agree: Callable[[str], bool], tell: Callable[[str], None], dry_run: bool = False
) -> Result:
    """The whole of it. `agree` is shown the plan and says whether it is carried out."""
    _require("packaging", *(["submitit"] if request.launcher == "slurm" else []))
    submission = request.submission
    case = Case(submission, request.as_of or submission.date)
    report = audit(case, registry.rules())
    plan = plan_rerun(
        case,
        report,
        request.seeds or claimed_seeds(submission)[: 1 if request.instrument else None],
        launcher=request.launcher,
        processes=request.processes,
        instrument=request.instrument,
        install=request.install,
        data=request.data,
    )
    if not dry_run:
        refuse_without_sandbox(request.unsafe)
    place = Place(request.ledger, request.data, not request.unsafe)
    script = sbatch_script(plan, place) if plan.launcher == "slurm" else ""
    if not agree(rerunpage.plan_page(plan, str(request.data), script)):
        return Result("" if dry_run else "nothing was run\n", 0 if dry_run else OPEN)
    told = Told(
        lambda line: tell(terminal(line)),
        lambda progress: tell(rerunpage.progress_line(progress, plan.expected_s)),
    )
    try:
        _carry_out(plan, place, told)
    except AlteredLedger as error:
        return Result(terminal(str(error)) + "\n", ALTERED)
    except AuditError as error:
        raise CouldNotRun(str(error)) from error
    except KeyboardInterrupt:
        raise CouldNotRun(f"stopped by hand; what was measured is in {request.ledger}") from None
    return counted(case, request.ledger) if request.instrument else judged(case, request.ledger)


def _require(*modules: str) -> None:
    """Raises AuditError where the extra that brings these is not installed."""
    absent = [module for module in modules if importlib.util.find_spec(module) is None]
    if absent:
        raise AuditError(f'{", ".join(absent)} missing: pip install "golf-audit[run]"')


def _carry_out(plan: Plan, place: Place, told: Told) -> None:
    if plan.launcher == "slurm":
        rerun_by_slurm(plan, place, told)
    else:
        rerun_here(plan, place, told)


def judged(case: Case, path: Path) -> Result:
    """The rulings that the ledger speaks to, and S03's as an exit code."""
    ledger = read_ledger(path)
    report = audit(
        Case(case.submission, case.as_of, ledger), registry.pick(rerunpage.MEASURED), restricted=True
    )
    return Result(rerunpage.result_page(report, ledger.head), _exit_code(report))


def counted(case: Case, path: Path) -> Result:
    """The rulings that an instrumented run speaks to; the exit code is the worst of them."""
    ledger = read_ledger(path)
    wanted = registry.pick(rerunpage.COUNTED)
    report = audit(Case(case.submission, case.as_of, ledger), wanted, restricted=True)
    verdicts = {ruling.verdict for ruling in report.rulings}
    code = _CODE[Verdict.FAIL] if Verdict.FAIL in verdicts else OPEN if verdicts & _UNSETTLED else 0
    return Result(rerunpage.counted_page(report, ledger.head), code)


def _exit_code(report: Report) -> int:
    ruling = next((r for r in report.rulings if r.rule.id == "S03"), None)
    if ruling is None:
        raise InternalError(f"S03 crashed: {'; '.join(c.error for c in report.crashes)}")
    return _CODE.get(ruling.verdict, OPEN)
