"""A run reaches neither the network, nor other processes, nor files outside its folder."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from tests.hostile.conftest import Attack


def test_no_network_by_any_door(attack: Attack, tmp_path: Path) -> None:
    with (
        socket.socket() as listening,
        socket.socket(socket.AF_UNIX) as door,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        _try_doors(attack, tmp_path, listening, door, abstract)


def _try_doors(
    attack: Attack, tmp_path: Path, listening: socket.socket, door: socket.socket, abstract: socket.socket
) -> None:
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    door.bind(str(tmp_path / "door"))
    door.listen()
    (tmp_path / "door").chmod(0o777)
    abstract.bind("\0golf-audit-test" + str(os.getpid()))
    abstract.listen()
    answer = attack(
        f"""
        outcome("host", lambda: socket.create_connection(("127.0.0.1", {listening.getsockname()[1]}), 2))
        outcome("address", lambda: socket.create_connection(("1.1.1.1", 80), 2))
        outcome("udp", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("1.1.1.1", 53)))
        outcome("six", lambda: socket.create_connection(("2606:4700:4700::1111", 80), 2))
        outcome("name", lambda: socket.getaddrinfo("example.com", 80))
        outcome("unix", lambda: socket.socket(socket.AF_UNIX).connect({str(tmp_path / "door")!r}))
        outcome("abstract", lambda: socket.socket(socket.AF_UNIX).connect("\\0golf-audit-test{os.getpid()}"))
        outcome("docker", lambda: socket.socket(socket.AF_UNIX).connect("/run/docker.sock"))
        outcome("vsock", lambda: socket.socket(40, socket.SOCK_STREAM).connect((2, 80)))
        outcome("packet", lambda: socket.socket(17, socket.SOCK_RAW))
        python = [sys.executable, "-c", "import socket; socket.create_connection(('1.1.1.1', 80), 2)"]
        outcome("subprocess", lambda: subprocess.run(python, capture_output=True).returncode)
        """
    )
    for name in ("host", "address", "udp", "six", "name", "unix", "abstract", "docker", "vsock", "packet"):
        assert "Error" in answer.of(name).split()[0] or "gaierror" in answer.of(name), (name, answer)
    assert answer.of("subprocess") == "done 1"


def test_nothing_of_the_host_can_be_read(attack: Attack, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish")
    answer = attack(
        f"""
        outcome("secret", lambda: open({str(secret)!r}).read())
        outcome("beside", lambda: os.listdir({str(tmp_path)!r}))
        outcome("passwd", lambda: open("/etc/passwd").read())
        outcome("shadow", lambda: open("/etc/shadow").read())
        outcome("home", lambda: os.listdir("/root"))
        outcome("run", lambda: os.listdir("/run"))
        outcome("through", lambda: open("/proc/1/root{secret}").read())
        say(f"environ: {{sorted(os.environ)}}")
        opened = []
        for number in os.listdir("/proc/self/fd"):
            try:
                opened.append((int(number), os.readlink("/proc/self/fd/" + number)))
            except OSError:
                pass
        said = {{target for number, target in opened if number != job.message_fd}}
        say(f"descriptors: {{sorted(said)}}")
        say("processes: " + str(sorted(int(n) for n in os.listdir("/proc") if n.isdigit())))
        say(f"tokens: {{'SECRET_TOKEN' in os.environ}}")
        """
    )
    for name in ("secret", "beside", "passwd", "shadow", "run", "through"):
        assert "Error" in answer.of(name).split()[0], (name, answer)
    assert "Error" in answer.of("home").split()[0] or "swordfish" not in answer.of("home")
    assert "SECRET" not in answer.of("environ") and answer.of("tokens") == "False"
    assert len(eval(answer.of("processes"))) <= 3
    left = eval(answer.of("descriptors"))
    assert all(t == "/dev/null" or t.startswith(("pipe:", "/proc/")) for t in left), left


def test_nothing_outside_can_be_written(attack: Attack, tmp_path: Path) -> None:
    answer = attack(
        f"""
        outcome("submission", lambda: open("/golf/submission/attack.py", "a"))
        outcome("data", lambda: open("/golf/data/val.bin", "w"))
        outcome("tool", lambda: open("/golf/tool/golf_audit/errors.py", "a"))
        outcome("python", lambda: open(os.path.join(sys.prefix, "pyvenv.cfg"), "a"))
        outcome("usr", lambda: open("/usr/bin/golf", "w"))
        outcome("host", lambda: open({str(tmp_path / "new")!r}, "w"))
        outcome("remove", lambda: os.unlink("/golf/submission/attack.py"))
        outcome("mode", lambda: os.chmod("/golf/submission/attack.py", 0o777))
        outcome("core", lambda: open("/proc/sys/kernel/core_pattern", "w").write("|/tmp/x"))
        outcome("sysrq", lambda: open("/proc/sysrq-trigger", "w").write("b"))
        """
    )
    for name in ("submission", "data", "tool", "python", "usr", "host", "remove", "mode", "core", "sysrq"):
        assert "Error" in answer.of(name).split()[0], (name, answer)


def test_no_other_process_can_be_reached(attack: Attack) -> None:
    answer = attack(
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        outcome("parent", lambda: os.kill(os.getppid(), 9))
        outcome("everybody", lambda: os.kill(-1, 9))
        say(f"ptrace: {libc.ptrace(16, 1, 0, 0)} {ctypes.get_errno()}")
        say(f"traceme: {libc.ptrace(0, 0, 0, 0)} {ctypes.get_errno()}")
        say(f"unshare: {libc.unshare(0x10000000)} {ctypes.get_errno()}")
        say(f"clone: {libc.syscall(56, 0x10000000 | 17, 0, 0, 0, 0)} {ctypes.get_errno()}")
        say(f"mount: {libc.mount(b'none', b'/tmp', b'tmpfs', 0, None)} {ctypes.get_errno()}")
        say(f"setuid: {libc.setuid(0)} {ctypes.get_errno()}")
        outcome("sudo", lambda: subprocess.run(["su", "-c", "id"], capture_output=True).returncode)
        for process in (1, "self"):
            status = dict(line.split(":", 1) for line in open(f"/proc/{process}/status"))
            names = ("CapEff", "CapBnd", "NoNewPrivs", "Seccomp")
            say(f"{process}: " + " ".join(status[name].strip() for name in names))
        """
    )
    for name in ("ptrace", "traceme", "unshare", "clone", "mount", "setuid"):
        assert answer.of(name).startswith("-1 "), (name, answer)
    assert answer.of("sudo") != "done 0"
    for process in ("1", "self"):  # process 1 can be written to, so it must not be able to do more
        *capabilities, privileges, seccomp = answer.of(process).split()
        assert (privileges, seccomp) == ("1", "2") and {int(c, 16) for c in capabilities} == {0}, answer


def test_killing_the_parent_ends_the_run_and_nothing_else(attack: Attack) -> None:
    answer = attack(
        """
        for process in (1, os.getppid()):
            try:
                os.kill(process, 9)
            except OSError:
                pass
        time.sleep(1)
        """
    )
    assert answer.ending in ("OK", "KILLED", "FAILED")


def test_links_and_pipes_in_the_run_folder_are_nobody_s_trap(attack: Attack) -> None:
    """Nothing is read back from the run folder, so no link or FIFO in it can lead or hold our process."""
    answer = attack(
        """
        os.symlink("/etc/shadow", "train.log")
        os.mkfifo("final_model.ptz")
        os.symlink("train_gpt.py", "train_gpt.py")
        os.link(__file__, "hard") if os.stat(__file__).st_dev == os.stat(".").st_dev else None
        """
    )
    assert answer.ending == "OK" and answer.seconds < 15
