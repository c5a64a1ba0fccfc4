"""A run that takes too much is ended, says which limit it broke, and nothing of it is left."""

from __future__ import annotations

from tests.hostile.conftest import Attack

MEGABYTE = 1 << 20


def test_a_harmless_run_comes_to_its_end(attack: Attack) -> None:
    answer = attack("say('hello'); print('to the output')")
    assert answer.ending == "OK" and answer.said[1] == "hello"
    assert answer.tail == "to the output\n"


def test_fork_bomb(attack: Attack) -> None:
    answer = attack(
        """
        while True:
            try:
                os.fork()
            except OSError:
                time.sleep(0.01)
        """,
        processes=40,
    )
    assert answer.ending == "PROCESSES" and answer.seconds < 15


def test_a_fork_bomb_meets_the_second_fence(attack: Attack) -> None:
    """Where the watch allows more, the limit on processes binds: also for root, whom it would not."""
    answer = attack(
        """
        made = 0
        try:
            while made < 500:
                if os.fork() == 0:
                    time.sleep(60)
                made += 1
        except OSError as error:
            say(f"refused: {error.errno} after {made}")
        """,
        processes=10_000,
        threads=50,
    )
    assert answer.ending == "OK"
    assert answer.of("refused").startswith("11 after ") and int(answer.of("refused").split()[-1]) < 50


def test_memory_bomb(attack: Attack) -> None:
    answer = attack(
        """
        held = []
        while True:
            held.append(bytearray(os.urandom(1 << 20)) * 8)
        """,
        memory=300 * MEGABYTE,
    )
    assert answer.ending == "MEMORY" and answer.peak < 3000 * MEGABYTE


def test_memory_of_many_processes_counts_together(attack: Attack) -> None:
    answer = attack(
        """
        for _ in range(10):
            if os.fork() == 0:
                held = bytearray(os.urandom(1 << 20)) * 60
                time.sleep(60)
        time.sleep(60)
        """,
        memory=300 * MEGABYTE,
    )
    assert answer.ending == "MEMORY"


def test_memory_without_a_holder_cannot_be_made(attack: Attack) -> None:
    answer = attack(
        """
        import ctypes
        outcome("memfd", lambda: os.memfd_create("x"))
        libc = ctypes.CDLL(None, use_errno=True)
        say(f"uring: {libc.syscall(425, 8, 0)} {ctypes.get_errno()}")
        """
    )
    assert answer.of("memfd").startswith("PermissionError") and answer.of("uring") == "-1 1"


FILL = """
def fill(folder):
    written = 0
    try:
        for number in range(10_000):
            with open(f"{folder}/filler{number}", "wb") as file:
                for _ in range(16):
                    file.write(b"x" * (1 << 20)); file.flush(); written += 1
    except OSError as error:
        say(f"{folder}: {error.errno} after {written}")
        return
    say(f"{folder}: never after {written}")
"""


def test_every_place_that_can_be_filled_is_small(attack: Attack) -> None:
    answer = attack(
        FILL + 'for place in ("/tmp", "/dev/shm", "/golf/run"): fill(place)\n',
        temp=20 * MEGABYTE,
        shared=10 * MEGABYTE,
        work=30 * MEGABYTE,
    )
    for place, most in (("/tmp", 20), ("/dev/shm", 10), ("/golf/run", 30)):
        number, _, count = answer.of(place).split()
        assert number in ("28", "27") and int(count) <= most, (place, answer)


def test_no_other_place_can_be_written(attack: Attack) -> None:
    answer = attack(
        """
        import stat
        found = []
        for folder, folders, files in os.walk("/"):
            if folder.startswith(("/proc", "/sys", "/tmp", "/dev/shm", "/golf/run")):
                folders[:] = []
                continue
            try:
                with open(os.path.join(folder, "filler"), "wb"):
                    found.append(folder)
            except OSError:
                pass
        say(f"writable: {found}")
        """,
        seconds=120,
    )
    assert answer.of("writable") == "[]"


def test_endless_loop(attack: Attack) -> None:
    answer = attack("while True: pass", seconds=2)
    assert answer.ending == "TIMEOUT" and answer.seconds < 15


def test_a_run_that_ignores_every_signal(attack: Attack) -> None:
    answer = attack(
        """
        import signal
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass
        while True:
            time.sleep(1)
        """,
        seconds=2,
    )
    assert answer.ending == "TIMEOUT" and answer.seconds < 15


def test_output_flood(attack: Attack) -> None:
    answer = attack("while True: os.write(1, b'x' * 65536)", output=5 * MEGABYTE)
    assert answer.ending == "FLOOD" and len(answer.tail) <= 16_384


def test_daemons_die_with_the_run(attack: Attack) -> None:
    """The run ends; what it detached (new session, closed descriptors) is ended with its namespace."""
    answer = attack(
        """
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                for descriptor in range(100):
                    try:
                        os.close(descriptor)
                    except OSError:
                        pass
                while True:
                    time.sleep(0.1)
            os._exit(0)
        time.sleep(0.5)
        """
    )
    assert answer.ending == "OK"
