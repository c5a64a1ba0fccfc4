"""The submission shares a process with the recorder and can write into its pipe: that ends the evidence."""

from __future__ import annotations

import pytest

from tests.hostile.conftest import Attack


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("os.write(job.message_fd, b'hello\\n')", "not JSON"),
        ('os.write(job.message_fd, b\'{"kind": "verdict"}\\n\')', "no such kind"),
        ("sender.send(Start(python='3', torch='none', targets=0))", "one start message"),
        ("Sender(job.message_fd).send(Print(text='again 0'))", "was expected"),
        ("sender.send(End(how='ok')); say('after')", "after the end"),
        ("os.write(job.message_fd, b'x' * (5 << 20))", "longer than"),
        ("os.write(job.message_fd, b'[' * 100_000 + b'\\n')", "not JSON"),
    ],
)
def test_a_forged_message_ends_the_evidence(attack: Attack, code: str, says: str) -> None:
    answer = attack(code, close=False)
    assert answer.ending == "FORGED" and says in answer.reason


def test_a_flood_of_messages_is_bounded(attack: Attack) -> None:
    answer = attack("while True: say('x' * 1900)", close=False, seconds=60)
    assert answer.ending in ("FORGED", "TIMEOUT")
    if answer.ending == "FORGED":
        assert "MiB of messages" in answer.reason or "messages" in answer.reason


def test_a_closed_pipe_is_no_clean_end(attack: Attack) -> None:
    answer = attack("os.close(job.message_fd)", close=False)
    assert answer.ending == "FAILED" and "without an end message" in answer.reason
