"""Small programs that fooled an earlier engine, in one direction or the other."""

from __future__ import annotations

from typing import Any

import pytest

from golf_audit.model import Example, Verdict, Where
from golf_audit.static import example as programs
from golf_audit.static.leaks import Kind, leaks
from golf_audit.timeline import Adapt, Mark, Origin, Overlap, Region, Report, Score, Stream, Timeline
from tests.rule_harness import submission_of

_SGD = "optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)\n"
_SCORE = "with torch.no_grad():\n    nll = model(x, y)\ntotal += nll.sum().item()\ncount += y.numel()\n"
_STEP = "step(model, optimizer, x, y)\n"

_LEARN = (
    'nll = F.cross_entropy(model.head(h).flatten(0, 1), y.flatten(), reduction="none")\n'
    + "total += nll.sum().item()\ncount += y.numel()\n"
    + "optimizer.zero_grad()\nnll.mean().backward()\noptimizer.step()\n"
)
_LAYERS = "".join(f"h = torch.cat((h[..., :{n}], h[..., {n}:]), -1)\n" for n in range(16, 512, 16))


def _in(loop: str, body: str) -> str:
    return loop + "".join(f"    {line}\n" for line in body.splitlines())


CHUNKS = "for start in range(0, len(tokens) - 1, 1024):\n"
PIECE = "x, y = piece(tokens, start)\n"
LEGAL = {
    "windows sorted into a list per chunk": _SGD
    + "windows = [[] for _ in range(len(tokens) // 4096)]\n"
    + "for start in range(0, len(tokens) - 1, 64):\n    windows[start // 4096].append(start)\n"
    + _in("for ci in range(len(tokens) // 4096):\n", _in("for start in windows[ci]:\n", PIECE + _SCORE))
    + "    x, y = piece(tokens, ci * 4096, 4096)\n    step(model, optimizer, x, y)\n",
    "positions moved by a second variable": _SGD
    + "pos = 0\n"
    + _in(
        "while pos < len(tokens) - 1:\n",
        "end = pos + 1024\nx, y = piece(tokens, pos)\n" + _SCORE + _STEP + "pos = end\n",
    ),
    "documents found from the tokens": _SGD
    + "starts = (tokens == 1).nonzero(as_tuple=True)[0].numpy()\n"
    + _in("for i in range(len(starts)):\n", "start = int(starts[i])\n" + PIECE + _SCORE + _STEP),
    "a step on the loss of the chunk before": _SGD
    + "previous = None\n"
    + _in(
        CHUNKS,
        PIECE
        + "if previous is not None:\n    optimizer.zero_grad()\n"
        + "    previous.backward()\n    optimizer.step()\n"
        + "nll = model(x, y)\ntotal += nll.sum().item()\ncount += y.numel()\nprevious = nll.mean()\n",
    ),
    "a table read at tokens, then added to": _SGD
    + "size = torch.ones(8192)\n"
    + _in(CHUNKS, PIECE + "spent = size[y]\nspent += 1\n" + _SCORE + _STEP),
    "adapters made anew for each chunk, trained afterwards": _in(
        CHUNKS,
        "other = copy.deepcopy(model)\n"
        + PIECE
        + _SCORE.replace("model(", "other(")
        + _SGD.replace("model", "other")
        + "step(other, optimizer, x, y)\n",
    ),
    "a search that raises where nothing is found": _SGD
    + _in(
        CHUNKS,
        "for part in tokens.split(4096):\n    if part.numel() > start:\n        break\n"
        + 'else:\n    raise ValueError("no part is long enough")\n'
        + PIECE
        + _SCORE
        + _STEP,
    ),
    "adapters in a ParameterDict, added inside": 'adapters = nn.ParameterDict({"a": torch.zeros(512)})\n'
    + _SGD.replace("model", "adapters")
    + _in(CHUNKS, PIECE + "h = model.hidden(x) + adapters['a']\n" + _LEARN),
    "gradients left lying, cleared in the branch that steps": _SGD
    + "x, y = piece(tokens, 0)\nmodel(x, y).mean().backward()\n"
    + _in(CHUNKS, PIECE + _SCORE + f"if os.getpid() % 2:\n    {_STEP}"),
    "hidden states cut in every layer": _SGD
    + _in(CHUNKS, PIECE + "h = model.hidden(x)\n" + _LAYERS + _LEARN),
}
ILLEGAL = {
    "a second pass over lists of the first": _SGD
    + "chunks = []\n"
    + _in(CHUNKS, "chunks.append(start)\n" + PIECE + _STEP)
    + _in("for start in chunks:\n", PIECE + _SCORE),
    "no_grad stands before, the forward after": _SGD
    + _in(CHUNKS, PIECE + "with torch.no_grad():\n    pass\n" + _STEP + _SCORE),
    "weights written by hand": _in(
        CHUNKS,
        PIECE
        + "model(x, y).mean().backward()\nwith torch.no_grad():\n"
        + "    for p in model.parameters():\n        p.data -= 0.01 * p.grad\n",
    )
    + _in(CHUNKS, PIECE + _SCORE),
    "gradients cleared in a branch that may not be taken": _SGD
    + "x, y = piece(tokens, 0)\nmodel(x, y).mean().backward()\n"
    + "if os.getpid() % 2:\n    optimizer.zero_grad()\noptimizer.step()\n"
    + _in(CHUNKS, PIECE + _SCORE),
    "learned by a copy and loaded back": "other = copy.deepcopy(model)\n"
    + _SGD.replace("model", "other")
    + _in(CHUNKS, PIECE + "step(other, optimizer, x, y)\n")
    + "model.load_state_dict(other.state_dict())\n"
    + _in(CHUNKS, PIECE + _SCORE),
}


def timeline(evaluation: str) -> Timeline:
    """The predicted timeline of a program with this evaluation."""
    return submission_of(Example("", programs.files(evaluation), Verdict.PASS)).timeline


@pytest.mark.parametrize("evaluation", LEGAL.values(), ids=LEGAL)
def test_legal_adaptation_is_followed_and_overlaps_nothing(evaluation: str) -> None:
    found = timeline(evaluation)
    assert not found.blocking_gaps()
    assert found.scores(), "a pass without a score would be vacuous"
    assert any(isinstance(e, Adapt) and e.region.stream is Stream.VAL for e in found.events)
    assert [(leak.kind, leak.score.where.line) for leak in leaks(found)] == []


@pytest.mark.parametrize("evaluation", ILLEGAL.values(), ids=ILLEGAL)
def test_adaptation_before_the_score_is_shown(evaluation: str) -> None:
    found = timeline(evaluation)
    assert not found.blocking_gaps()
    assert Overlap.SHOWN in {leak.overlap for leak in leaks(found)}


def test_a_loop_that_holds_both_in_one_round_is_no_loop_of_epochs() -> None:
    inside = _SGD + _in(CHUNKS, PIECE + _STEP) + _in(CHUNKS, PIECE + _SCORE)
    found = leaks(timeline(_in("for kind in ('sliding',):\n", inside)))
    assert {leak.kind for leak in found} == {Kind.BEFORE}


def _loop(number: int, iteration: int) -> Mark:
    return Mark(number, frozenset({iteration}))


@pytest.mark.parametrize(("sure_epoch", "kind"), [(True, Kind.EPOCH), (False, Kind.BEFORE)])
def test_of_two_words_for_the_same_two_places_the_surer_stays(sure_epoch: bool, kind: Kind) -> None:
    """The first round's step is the epoch's leak, the second round's own step comes before its score."""
    here, there = Where("train_gpt.py", 10), Where("train_gpt.py", 20)

    def at(number: int, where: Where, round_: int) -> dict[str, Any]:
        return {"id": number, "where": where, "path": (), "conditions": (), "loops": (_loop(1, round_),)}

    whole, part = Region(Stream.VAL), Region(Stream.VAL, widened=True)
    first = Adapt(**at(1, here, 0), parameters="GPT", region=whole if sure_epoch else part)
    second = Adapt(**at(2, here, 1), parameters="GPT", region=whole)
    score = Score(**at(3, there, 1), region=whole, model="GPT", state=frozenset({1, 2}))
    report = Report(**at(4, there, 1), tag="val_bpb", scores=frozenset({3}), claimed=True)
    (leak,) = leaks(Timeline(Origin.PREDICTED, (first, second, score, report)))
    assert (leak.kind, leak.overlap) == (kind, Overlap.SHOWN)
