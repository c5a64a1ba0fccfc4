"""Commands of READMEs and shell scripts: what they set, on which line, and what is not believed of them."""

from __future__ import annotations

import pytest

from golf_audit.filetree import File, FileTree
from golf_audit.runconfig.commands import Found, read_commands
from golf_audit.runconfig.model import Command, Origin

FENCE = "```"


def tree(**files: str) -> FileTree:
    named = {name.replace("__", "."): text.encode() for name, text in files.items()}
    return FileTree({path: File(path, len(data), data) for path, data in named.items()})


def readme(body: str, language: str = "bash") -> Found:
    return read_commands(tree(README__md=f"# Run\n\n{FENCE}{language}\n{body}\n{FENCE}\n"))


def values(command: Command) -> dict[str, str]:
    return {name: setting.value for name, setting in command.settings.items()}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("A=1 B=x torchrun train_gpt.py", {"A": "1", "B": "x"}, id="prefix assignments"),
        pytest.param(
            "A=1 \\\n  B=2 \\\ntorchrun train_gpt.py", {"A": "1", "B": "2"}, id="lines joined by backslashes"
        ),
        pytest.param(
            "A=1 \\ \ntorchrun train_gpt.py", {"A": "1"}, id="a blank after the backslash is a slip"
        ),
        pytest.param("export A=1 B='x y'\npython train_gpt.py", {"A": "1", "B": "x y"}, id="exports"),
        pytest.param("A=1\nexport A\npython train_gpt.py", {"A": "1"}, id="an assignment exported later"),
        pytest.param("set -a\nA=1\npython train_gpt.py", {"A": "1"}, id="set -a exports what follows"),
        pytest.param("env A=1 B=2 nohup torchrun train_gpt.py &", {"A": "1", "B": "2"}, id="env and nohup"),
        pytest.param(
            "A=${A:-3} python train_gpt.py > log 2>&1", {"A": "3"}, id="a default inside an expansion"
        ),
        pytest.param(
            "N=8\nA=$N python train_gpt.py | tee log", {"A": "8"}, id="a variable known from before"
        ),
        pytest.param(
            'A="1" python train_gpt.py # B=2', {"A": "1"}, id="quotes are removed, comments are not read"
        ),
        pytest.param("$ A=1 python train_gpt.py", {"A": "1"}, id="a prompt before the command"),
        pytest.param("cd x && A=1 python -u train_gpt.py", {"A": "1"}, id="after another command"),
        pytest.param(
            "python train_gpt.py --lr 0.1 --n=-2 --fast",
            {"--lr": "0.1", "--n": "-2", "--fast": ""},
            id="flags",
        ),
        pytest.param("python train_gpt.py lr=0.1", {"lr": "0.1"}, id="name=value arguments"),
    ],
)
def test_a_command_gives_its_settings(body: str, expected: dict[str, str]) -> None:
    """The configuration of most early submissions stands only here."""
    (command,) = readme(body).commands
    assert values(command) == expected


def test_a_loop_over_seeds_gives_one_command_per_seed() -> None:
    """#1958's README: each seed's log is explained by its own round."""
    found = readme(
        "for SEED in 42 314 999; do\n  SEED=$SEED LR=5e-4 torchrun --nproc_per_node=8 train_gpt.py\ndone"
    )
    assert [values(c)["SEED"] for c in found.commands] == ["42", "314", "999"]
    assert {c.processes for c in found.commands} == {8}


def test_positions_point_to_the_line_that_gives_the_value() -> None:
    """A reviewer opens README.md:6 and sees it."""
    (command,) = readme("A=1 \\\n  B=2 \\\n  torchrun train_gpt.py").commands
    where = command.settings["B"].where
    assert where is not None
    assert (where.file, where.line, where.quote) == ("README.md", 5, "B=2 \\")
    assert command.where.line == 6


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("A=1\npython train_gpt.py", id="a variable that is not exported"),
        pytest.param("A=1 echo x\npython train_gpt.py", id="an assignment to another command"),
        pytest.param("cat <<EOF > f\nexport A=1\nEOF\npython train_gpt.py", id="text of a here-document"),
        pytest.param("f() {\n  export A=1\n}\npython train_gpt.py", id="a function that is not followed"),
        pytest.param("A=$(date) python train_gpt.py", id="output of a command"),
        pytest.param("A=<seed> python train_gpt.py", id="a placeholder"),
        pytest.param("A=$1 python train_gpt.py", id="an argument of the script"),
        pytest.param("unset A\npython train_gpt.py", id="a variable taken away"),
        pytest.param("export A=1\nunset A\npython train_gpt.py", id="an export taken back"),
        pytest.param("echo A=1 train_gpt.py\npython train_gpt.py", id="words of another program"),
    ],
)
def test_nothing_is_believed_that_does_not_reach_the_script(body: str) -> None:
    """A value that the shell would not pass must not open a branch of the code."""
    command = readme(body).commands[-1]
    assert "A" not in command.settings


def test_values_that_cannot_be_told_are_named() -> None:
    """The code's default must not stand in for SEED=$1."""
    (command,) = readme("SEED=$1 MODE=$(pick) LR=1 python train_gpt.py").commands
    assert command.unknown == ("SEED", "MODE")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("train_gpt.py\nREADME.md\ntrain_seed42.log", id="a list of files"),
        pytest.param("pip install brotli\napt-get install lrzip", id="an installation"),
        pytest.param("git diff train_gpt.py\nwc -c train_gpt.py", id="programs that read the script"),
        pytest.param("final val_bpb = 1.08 (don't round)", id="prose with an apostrophe"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_runs_nothing_is_no_command(body: str) -> None:
    """READMEs hold trees, figures and prose in the same fences."""
    assert readme(body, "").commands == ()


def test_blocks_in_other_languages_are_not_shell() -> None:
    """`os.environ` in a Python block or a diff is not a command that was run."""
    assert readme("A=1 python train_gpt.py", "python").commands == ()
    assert readme("+A=1 python train_gpt.py", "diff").commands == ()


def test_indented_blocks_are_read() -> None:
    """Markdown's older form of a code block."""
    found = read_commands(tree(README__md="Run:\n\n    A=1 python train_gpt.py\n\nDone.\n"))
    assert [values(c) for c in found.commands] == [{"A": "1"}]


def test_exports_of_a_setup_block_reach_the_next_block() -> None:
    """A reader runs both blocks in one shell."""
    text = f"{FENCE}bash\nexport A=1\n{FENCE}\n\n{FENCE}bash\npython train_gpt.py\n{FENCE}\n"
    assert values(read_commands(tree(README__md=text)).commands[0]) == {"A": "1"}


def test_a_listing_of_settings_has_no_script() -> None:
    """Names and values without a command are weaker than a command, and kept."""
    (listing,) = readme("A_B=1, C=2\nD=0.5  # tuned", "").commands
    assert listing.script == "" and values(listing) == {"A_B": "1", "C": "2", "D": "0.5"}


def test_a_readme_command_is_followed_into_the_script_it_runs() -> None:
    """run.sh sets most, the README passes the rest; each value keeps the file that said it."""
    script = (
        'export A="${A:-1}" B=2\nSCRIPT="$(cd "$(dirname "$0")" && pwd)/train_gpt.py"\ntorchrun "$SCRIPT"\n'
    )
    found = read_commands(tree(README__md=f"{FENCE}\nA=7 bash run.sh\n{FENCE}\n", run__sh=script))
    command = found.commands[0]
    assert command.program == "train_gpt.py"
    assert values(command) == {"A": "7", "B": "2"}
    assert [command.settings[n].origin for n in ("A", "B")] == [Origin.README, Origin.SHELL]


def test_arms_of_a_case_leave_their_names_undecided() -> None:
    """#912's smoke mode sets NGRAM_EVAL_ORDER=0; the run did not."""
    script = 'export ORDER=7 LR=1\ncase "$1" in\nsmoke) ORDER=0 ;;\nesac\npython train_gpt.py\n'
    found = read_commands(tree(run__sh=script))
    assert values(found.commands[0]) == {"LR": "1"} and found.commands[0].unknown == ("ORDER",)
    assert [fault.where.line for fault in found.skipped] == [2]


def test_commands_under_a_condition_say_so() -> None:
    """Which side ran is not known from the text."""
    found = read_commands(
        tree(run__sh='if [ -z "$X" ]; then\n  python train_gpt.py\nfi\npython train_gpt.py\n')
    )
    assert [c.conditional for c in found.commands] == [True, False]


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("${" * 20_000, id="unclosed expansions"),
        pytest.param("$(\n" * 6_000, id="unclosed substitutions on many lines"),
        pytest.param(
            "A=x\n" + "A=$A$A\n" * 300 + "A=$A python train_gpt.py", id="a variable doubled 300 times"
        ),
        pytest.param("A=" + "${a:-" * 5_000 + "}" * 5_000 + " python train_gpt.py", id="nested defaults"),
        pytest.param("for a in 1 2 3 4 5 6 7 8 9; do " * 30 + "x=1;" + " done;" * 30, id="loops in loops"),
        pytest.param("if x; then " * 5_000, id="conditions in conditions"),
        pytest.param("'\"`\\" * 5_000, id="quotes of every kind"),
        pytest.param("f() {\n" * 5_000, id="functions without end"),
    ],
)
def test_hostile_scripts_end_quickly_and_quietly(script: str) -> None:
    """No exception, and no value longer than the cap; pytest's own limit would show a hang."""
    for found in (read_commands(tree(run__sh=script)), readme(script)):
        lengths = [len(s.value) for c in found.commands for s in c.settings.values()]
        assert max(lengths, default=0) <= 4_000 and len(found.commands) <= 600
