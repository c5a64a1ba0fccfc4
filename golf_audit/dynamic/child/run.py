"""One run inside the sandbox, from the job to the last message."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import traceback
from types import FrameType
from typing import TYPE_CHECKING

from golf_audit.dynamic.child.context import Context, bounded
from golf_audit.dynamic.job import Job
from golf_audit.dynamic.messages import WHERE, End, Message, Probe, Start
from golf_audit.dynamic.wire import Sender

if TYPE_CHECKING:
    from golf_audit.dynamic.child.recorder import Recorder

ALMOST = 0.9
"""Share of a run's CPU time after which it tells where it is."""


def run(job: Job) -> int:
    """Prepare, execute, report. Returns the exit status of the process."""
    _folders(job)
    rank, others = _fork(job)
    outlet = Outlet(Sender(job.rank_fds[rank - 1] if rank else job.message_fd))
    context = Context(job, outlet, rank)
    _tell_where_time_runs_out(context, outlet)
    os.environ.update(job.environ)
    if job.ranks > 1:
        os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(job.ranks))
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29500")
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[name] = str(job.threads)
    recorder = prepare(context)
    end = _missing(job) or executed(context)
    recorder.outside.finish()
    _join(others, good=end.status == 0)
    context.send(end)
    sys.stdout.flush()
    return 0 if end.how == "ok" else 1


def prepare(context: Context) -> Recorder:
    """Import torch, put every stand-in and the recorder in place."""
    import torch

    from golf_audit.dynamic.child import mode, script, shims
    from golf_audit.dynamic.child.recorder import Recorder

    torch.set_num_threads(context.job.threads)
    targets = _targets(context.job)
    context.send(Start(python=sys.version.split()[0], torch=torch.__version__, targets=targets))
    shims.install(context)
    recorder = Recorder(context)
    recorder.install()
    _asked(context, recorder)
    script.install(context)
    mode.everywhere(mode.Everything(context, recorder))
    return recorder


def _missing(job: Job) -> End | None:
    """Why a run on a GPU cannot begin."""
    import torch

    if job.device == "cpu" or torch.cuda.is_available():
        return None
    return End(how="exception", status=1, detail="--device cuda: torch finds no GPU in the sandbox")


def _asked(context: Context, recorder: Recorder) -> None:
    """What a probe wants to happen in this run."""
    from golf_audit.dynamic.child.candidates import Candidates
    from golf_audit.dynamic.child.moment import Moment

    moment = Moment(context, recorder.outside)
    moment.install()

    def scored(event: int) -> None:
        recorder.outside.scored()
        moment.score(event)

    recorder.scores.on_score = scored
    candidates = Candidates(context, recorder.scores)
    recorder.scores.begins, recorder.scores.told = candidates.begins, candidates.told


def _fork(job: Job) -> tuple[int, list[int]]:
    """One process for each further rank: our own rank, and for rank 0 the others."""
    others = []
    for rank in range(1, job.ranks):
        child = os.fork()
        if child == 0:
            return rank, []
        others.append(child)
    return 0, others


def _join(others: list[int], *, good: bool) -> None:
    """Wait for the other ranks; where rank 0 failed they would wait for it for ever."""
    for child in others:
        if not good:
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _folders(job: Job) -> None:
    """Copy the submission to the run folder and go there; `data` leads to the miniature."""
    shutil.copytree(job.submission, job.work, dirs_exist_ok=True, symlinks=False)
    os.chdir(job.work)
    if not os.path.lexists("data"):
        os.symlink(job.data, "data")
    os.makedirs("logs", exist_ok=True)


def _targets(job: Job) -> int:
    """Validation positions: all tokens but the first."""
    return (os.path.getsize(job.val_tokens) - 1024) // 2 - 1


class Outlet:
    """Sends, and ends the run when our process no longer listens."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self.busy = False  # a signal may come in the middle of a message

    def __call__(self, message: Message) -> None:
        self.busy = True
        try:
            self._sender.send(message)
        except OSError:
            os._exit(3)
        finally:
            self.busy = False


def _tell_where_time_runs_out(context: Context, outlet: Outlet) -> None:
    """Shortly before a run is ended for its CPU time: the line at which it is."""

    def late(number: int, frame: FrameType | None) -> None:
        if outlet.busy:
            signal.setitimer(signal.ITIMER_PROF, 0.1)
        else:
            context.send(Probe(name=WHERE, site=context.site()))

    signal.signal(signal.SIGPROF, late)
    signal.setitimer(signal.ITIMER_PROF, ALMOST * context.job.seconds / context.job.ranks)


def executed(context: Context) -> End:
    """Run the submission; whatever it raises becomes the last message."""
    from golf_audit.dynamic.child import script

    try:
        script.execute(os.path.join(context.job.work, context.job.script), context.job.argv)
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else 0 if leaving.code is None else 1
        return End(how="exit" if status else "ok", status=status, detail=bounded(str(leaving.code or "")))
    except BaseException as error:  # noqa: BLE001 - the submission's error is what is reported
        traceback.print_exc()
        return End(
            how="exception",
            status=1,
            detail=bounded(f"{type(error).__name__}: {error}"),
            site=_where(context, error),
        )
    return End(how="ok")


def _where(context: Context, error: BaseException) -> tuple[str, int]:
    """The innermost line of the submission that the error passed."""
    site = ("", 0)
    trace = error.__traceback__
    while trace is not None:
        name = context.file(trace.tb_frame.f_code.co_filename)
        if name is not None:
            site = (name, trace.tb_lineno)
        trace = trace.tb_next
    return site
