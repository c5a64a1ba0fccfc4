"""What looks like a leak and is none, run in miniature: each has given a checker a false alarm before.

The planted script of planted.py, honest, with one habit of real submissions: windows that are scored again at
the end, documents in another order, borders that are trained on early, a warm-up whose state is thrown away,
a loader that draws its seed from a path. And what such a run does besides computing.
"""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from golf_audit.dynamic.probes.control import Controlled
from golf_audit.dynamic.probes.order import Order
from golf_audit.dynamic.probes.stream import Cuts
from golf_audit.dynamic.probes.whole import Whole
from tests.dynamic.planted import SCRIPT
from tests.dynamic.test_planted import last, observed, words

pytestmark = pytest.mark.slow

LOOP = SCRIPT[SCRIPT.index("    for start in range(0, usable, 256):") : SCRIPT.index("    loss = total")]
ORDERED = (Controlled((Order(),)),)
ALONE = (Whole(),)  # which asks for no run besides the baseline


def changed(*pairs: tuple[str, str]) -> str:
    text = SCRIPT
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


AGAIN = """
    with torch.no_grad():
        x, y = batch(val, usable - h.seq_len, usable, h.seq_len)
        nll = nll_of(model, x, y)
    total += nll.double().sum().item(); count += nll.numel(); size += width[y].sum().item()
    loss = total / count
"""


def test_a_last_window_that_is_scored_again_is_a_repeat_and_not_late() -> None:
    """The 549 family counts the last stride twice, the second time after it was trained on."""
    seen = observed(text=changed(("    loss = total / count\n", AGAIN.lstrip("\n"))), probes=ORDERED)
    result = last(seen)
    assert result.attested and result.rows == 1536 + 128
    assert (result.repeated, result.missing, result.late) == (((1409, 1537),), (), ())
    assert 1537 - result.repeated[0][0] <= result.window, "all within one window"
    assert words(seen)["order"] == {"CLEAN"}


DOCUMENTS = """
    starts = [p for p in range(usable + 1) if val[p] == 1] + [usable + 1]
    for a, b in zip(starts, starts[1:]):
        x, y = val[max(a, 1) - 1 : b - 1][None], val[max(a, 1) : b][None]
        with torch.no_grad():
            nll = nll_of(model, x, y)
        total += nll.double().sum().item(); count += nll.numel(); size += width[y].sum().item()
        x, y = val[a : min(b, usable)][None], val[a + 1 : min(b, usable) + 1][None]
        nll_of(model, x, y).mean().backward(); sgd.step(); sgd.zero_grad()
"""


def test_the_next_document_s_bos_may_be_trained_on_early_since_it_counts_no_bytes() -> None:
    """1855 and 2143 train on concatenated documents: the border is a target before it is counted."""
    seen = observed(text=changed((LOOP, DOCUMENTS.lstrip("\n"))), probes=ORDERED)
    result = last(seen)
    assert result.attested and result.missing == ()
    assert (result.late, result.exempt) == ((), 7)


SORTED = """
    starts = [p for p in range(usable + 1) if val[p] == 1] + [usable + 1]
    for a, b in sorted(zip(starts, starts[1:]), key=lambda document: document[0] - document[1]):
        x, y = val[a : b - 1][None], val[a + 1 : b][None]
        with torch.no_grad():
            nll = nll_of(model, x, y)
        total += nll.double().sum().item(); count += nll.numel(); size += width[y].sum().item()
        nll_of(model, x, y).mean().backward(); sgd.step(); sgd.zero_grad()
"""


def test_sorted_documents_are_another_order_and_no_look_ahead() -> None:
    """Later tokens of the stream count where they are processed earlier: a note, and the inversions."""
    probes = (Controlled((Order(), Cuts())),)
    seen = observed(text=changed((LOOP, SORTED.lstrip("\n"))), probes=probes)
    result = last(seen)
    assert result.attested and not result.late and result.inversions > 0
    assert words(seen)["order"] == {"CLEAN"}
    assert "NOTE" in words(seen)["stream"] and "VIOLATION" not in words(seen)["stream"]


WARM_UP = """
    import copy
    kept = copy.deepcopy(model.state_dict())
    x, y = batch(val, 0, 256, h.seq_len)
    nll_of(model, x, y).mean().backward(); sgd.step(); sgd.zero_grad()
    model.load_state_dict(kept)
"""


def test_a_warm_up_on_validation_whose_state_is_put_back_touches_and_does_not_leak() -> None:
    """1530 warms its compiled step up on a validation chunk, with weights that it throws away."""
    seen = observed(text=changed(("    # BEFORE\n", WARM_UP.lstrip("\n"))), probes=ORDERED)
    result = last(seen)
    assert result.attested and not result.late
    borders = 3  # BOS among them, which counts no bytes
    assert sum(b - a for a, b in result.undone) == 256 - borders and result.exempt == 0
    assert words(seen)["order"] == {"CLEAN"}
    lasting = WARM_UP.replace("    model.load_state_dict(kept)\n", "")
    seen = observed(text=changed(("    # BEFORE\n", lasting.lstrip("\n"))), probes=ALONE)
    assert last(seen).late == result.undone, "the same without putting it back"


PATH_SEED = """
    import hashlib
    path = sorted(glob.glob(h.data_path + "/fineweb_train_*.bin"))[0]
    skip = int(hashlib.sha256((path + os.getcwd()).encode()).hexdigest(), 16) % 1000
    train = shard(path)[skip:]
"""


def test_a_loader_that_is_seeded_by_a_path_repeats_since_all_runs_have_the_same() -> None:
    """1240 hashes the path of a shard: runs at differing paths looked like a leak."""
    old = '    train = shard(sorted(glob.glob(h.data_path + "/fineweb_train_*.bin"))[0])\n'
    seen = observed(text=changed((old, PATH_SEED.lstrip("\n"))), probes=ORDERED)
    assert last(seen).attested
    assert words(seen) == {"control": {"CLEAN"}, "order": {"CLEAN"}}


UNSTEADY = "    torch.manual_seed(1337 + time.thread_time_ns() % 1000)\n"


def test_a_run_that_does_not_repeat_lets_no_probe_speak() -> None:
    """A seed out of CPU time, which is not virtual: comparisons say nothing, and say so."""
    text = changed(("    torch.manual_seed(1337)\n", "    import time\n" + UNSTEADY))
    seen = observed(text=text, probes=ORDERED)
    assert words(seen) == {"control": {"VOID"}, "order": {"VOID"}}


BESIDES = """
    import socket, subprocess
    from helper import SCALE
    subprocess.run(["true", "--argument"])
    os.system("exit 0")
    try:
        socket.create_connection(("127.0.0.1", 9), 1)
    except OSError:
        pass
    nll = SCALE * nll
"""


def test_programs_connections_and_files_are_told_and_modules_beside_the_script_are_there() -> None:
    text = changed(("    loss = total / count\n", BESIDES.lstrip("\n") + "    loss = total / count\n"))
    seen = observed(text=text, probes=ALONE, beside=(("helper.py", "SCALE = 1.0\n"),))
    assert last(seen).attested
    assert {"true --argument", "exit 0"} <= set(seen.programs)
    assert "socket.connect this machine" in seen.network
    assert {what.split(":")[0] for what in seen.reads} >= {"train", "val"}
    assert not any("/tmp" in what for what in (*seen.reads, *seen.programs)), "no place of this machine"
