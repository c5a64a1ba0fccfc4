"""What the code takes from outside, and what it only seems to take."""

from __future__ import annotations

import ast

import pytest

from golf_audit.model import Where
from golf_audit.runconfig.knobs import Taken, read_knobs
from golf_audit.runconfig.literals import literal, rounds_to, same, same_place


def taken(source: str) -> Taken:
    return read_knobs(ast.parse(source), lambda node: Where("train_gpt.py", getattr(node, "lineno", None)))


@pytest.mark.parametrize(
    ("source", "env", "kind", "default", "attributes"),
    [
        pytest.param('x = os.environ.get("X")', "X", "", None, ("x",), id="a read without default has none"),
        pytest.param(
            'X = int(os.environ.get("X", 3))', "X", "int", "3", ("X",), id="a wrapper gives the type"
        ),
        pytest.param('x = os.getenv("X", "a")', "X", "", "a", ("x",), id="getenv is a read"),
        pytest.param('x = os.environ["X"]', "X", "", None, ("x",), id="a subscript is a read"),
        pytest.param(
            'class H:\n    ttt = bool(int(os.environ.get("TTT", "0")))',
            "TTT",
            "bool",
            "0",
            ("H.ttt",),
            id="bool of int is a switch held by a class attribute",
        ),
        pytest.param(
            'x = os.environ.get("X", "0") == "1"', "X", "bool", "0", ("x",), id="a comparison is a switch"
        ),
        pytest.param(
            'x = os.environ.get("X", "yes").lower() in ("1", "yes")',
            "X",
            "bool",
            "yes",
            ("x",),
            id="a membership test of a lowered value is a switch",
        ),
        pytest.param(
            'x = [int(i) for i in os.environ.get("X", "1,2").split(",")]',
            "X",
            "list",
            "1,2",
            ("x",),
            id="a split value is a list",
        ),
        pytest.param(
            'x = int(os.environ.get("X") or 7)', "X", "int", "7", ("x",), id="`or` gives the default"
        ),
        pytest.param(
            'N = 4\nx = os.environ.get("X", N * 2)', "X", "", "8", ("x",), id="constants are computed"
        ),
        pytest.param(
            'class C:\n    def __init__(self):\n        self.x = float(os.environ.get("X", 0.5))',
            "X",
            "float",
            "0.5",
            ("C.x",),
            id="self.x belongs to the class",
        ),
        pytest.param(
            'def env_int(k, default=4):\n    return int(os.environ.get(k, default))\nx = env_int("X", 9)',
            "X",
            "int",
            "9",
            ("x",),
            id="a helper function reads for its caller",
        ),
        pytest.param(
            'def env_int(name, default=4):\n    return int(os.environ.get(name, default))\nx = env_int("X")',
            "X",
            "int",
            "4",
            ("x",),
            id="a helper's own default counts when the call gives none",
        ),
        pytest.param(
            'def flag(n, d):\n    return os.environ.get(n, d) == "1"\nx = flag("X", "0")',
            "X",
            "bool",
            "0",
            ("x",),
            id="a helper that compares is a switch",
        ),
        pytest.param('E = os.environ.get\nx = E("X", 1)', "X", "", "1", ("x",), id="a renamed getter reads"),
        pytest.param('a, b = 1, int(os.environ.get("B", 2))', "B", "int", "2", ("b",), id="a tuple by place"),
        pytest.param(
            'p.add_argument("--lr", type=float, default=float(os.environ.get("LR", "0.1")))',
            "LR",
            "float",
            "0.1",
            ("lr",),
            id="a flag whose default is a variable is both",
        ),
        pytest.param(
            '@dataclass\nclass C:\n    x: int = field(default_factory=lambda: int(os.environ.get("X", 3)))',
            "X",
            "int",
            "3",
            ("C.x",),
            id="a default factory holds the value",
        ),
    ],
)
def test_a_read_gives_name_type_default_and_attribute(
    source: str, env: str, kind: str, default: str | None, attributes: tuple[str, ...]
) -> None:
    """Logs print attributes, commands set variables: both must lead to one knob."""
    knob = next(k for k in taken(source).knobs if k.env == env)
    assert (knob.kind, knob.default, knob.attributes) == (kind, default, attributes)


@pytest.mark.parametrize(
    ("source", "attribute"),
    [
        pytest.param(
            'class H:\n    end = int(os.environ.get("END", 5)) - 1',
            "H.end",
            id="arithmetic changes the value",
        ),
        pytest.param(
            'class H:\n    n = max(1, int(os.environ.get("N", 4)))', "H.n", id="a clamp may change the value"
        ),
        pytest.param(
            'class H:\n    d = os.path.join(os.environ.get("D", "."), "x")',
            "H.d",
            id="a joined path is another value",
        ),
        pytest.param(
            'class Config:\n    on = "RANK" in os.environ', "Config.on", id="membership is not a value"
        ),
    ],
)
def test_a_computed_attribute_is_not_the_variable(source: str, attribute: str) -> None:
    """A logged `end: 4` must never become END=4."""
    found = taken(source)
    assert attribute in found.derived
    assert not any(attribute in knob.attributes for knob in found.knobs)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param('x = settings.get("X", 1)', id="get of another mapping"),
        pytest.param('x = environment["X"]', id="another name that begins alike"),
        pytest.param(
            'def f():\n    os.environ["X"] = "1"', id="a write inside a function that may never run"
        ),
        pytest.param('if debug:\n    os.environ["X"] = "1"', id="a write under a condition"),
        pytest.param(
            "class Model(nn.Module):\n    scale = 3", id="a constant of a class that is no configuration"
        ),
        pytest.param('# os.environ.get("X", 1)', id="a comment"),
        pytest.param("text = 'os.environ.get(\"X\", 1)'", id="a string"),
        pytest.param('p.add_argument("input")', id="a positional argument"),
    ],
)
def test_what_only_looks_like_a_setting_is_none(source: str) -> None:
    """A setting that the code does not take would be believed later."""
    assert taken(source).knobs == ()


def test_a_variable_that_the_script_sets_itself_is_told_from_a_default() -> None:
    """os.environ["X"] = ... beats every command, setdefault only fills a gap."""
    found = taken(
        'os.environ["A"] = "1"\nos.environ.setdefault("B", "2")\nos.environ.update({"C": "3"}, D="4")'
    )
    assert [(k.env, k.default, k.writes) for k in found.knobs] == [
        ("A", "1", "value"),
        ("D", "4", "value"),
        ("C", "3", "value"),
        ("B", "2", "default"),
    ]


def test_argparse_flags_keep_destination_default_and_meaning() -> None:
    """`--no-ttt` means False for `ttt`: the constant, not the word, is the value."""
    found = taken(
        'p.add_argument("--n-layers", type=int, default=11)\n'
        'p.add_argument("--no-ttt", dest="ttt", action="store_false")\n'
        'p.add_argument("--lr")'
    )
    assert [(k.name, k.flags, k.default, k.constant) for k in found.knobs] == [
        ("n_layers", ("--n-layers",), "11", None),
        ("ttt", ("--no-ttt",), "True", "False"),
        ("lr", ("--lr",), "None", None),
    ]


def test_reads_of_computed_names_are_reported() -> None:
    """With such a read in the code nobody can say that a variable is not read."""
    assert len(taken('for k in names:\n    os.environ.get(f"TTT_{k}")').computed) == 1


def test_a_default_may_be_another_setting() -> None:
    """get("EVAL_SEQ_LEN", train_seq_len): what was run for the one decides the other."""
    found = taken('class H:\n    t = int(os.environ.get("T", 8))\n    e = int(os.environ.get("E", t))')
    assert [k.default_of for k in found.knobs if k.env == "E"] == ["t"]


@pytest.mark.parametrize(
    "tree",
    [
        pytest.param(lambda leaf: ast.BinOp(leaf, ast.Add(), ast.Constant(1)), id="a sum of 5,000 terms"),
        pytest.param(lambda leaf: ast.Call(ast.Name("int", ast.Load()), [leaf], []), id="5,000 nested calls"),
    ],
)
def test_deep_trees_are_read_without_recursion(tree: object) -> None:
    """Hostile nesting must not end in a RecursionError."""
    node: ast.expr = ast.Call(
        ast.parse("os.environ.get", mode="eval").body, [ast.Constant("X"), ast.Constant("1")], []
    )
    for _ in range(5_000):
        node = tree(node)  # type: ignore[operator]
    module = ast.Module([ast.Assign([ast.Name("x", ast.Store())], node)], [])
    assert [k.env for k in read_knobs(module, lambda _: Where("t.py")).knobs] == ["X"]


def test_constants_that_explode_are_left_alone() -> None:
    """Doubling strings and integers too long to print are not evaluated."""
    doubled = "class Config:\n a0 = 'x'\n" + "".join(
        f" a{i} = f'{{a{i - 1}}}{{a{i - 1}}}'\n" for i in range(1, 80)
    )
    found = taken(doubled + " huge = 0x" + "f" * 5000)
    assert max(len(k.default or "") for k in found.knobs) <= 4_000


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1", "True"),
        ("0", "false"),
        ("1e-3", "0.001"),
        ("600", "600.000"),
        ("[1, 2]", "1,2"),
        ("None", ""),
        ("20_000", "20000"),
        ("enabled", "1"),
    ],
)
def test_spellings_of_one_value_are_the_same(a: str, b: str) -> None:
    """A difference in spelling is not a conflict."""
    assert same(a, b) and same(b, a)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("1", "2"),
        ("0", ""),
        ("0", "None"),
        ("1", "1,2"),
        ("0.001", "0.0010001"),
        ("True", "brotli"),
        ("5.0", "5.25"),
        ("", "False"),
    ],
)
def test_different_values_are_not_the_same(a: str, b: str) -> None:
    """A real difference must stay visible."""
    assert not same(a, b) and not same(b, a)


def test_rounding_holds_only_at_printed_decimals() -> None:
    """`lr:0.000` may be 0.0003, not 0.002; a dump that says 0.1 does not mean 0.095."""
    assert rounds_to("0.0003", "0.000")
    assert not rounds_to("0.002", "0.000")
    assert not rounds_to("0.095", "0.1")
    assert not rounds_to("5", "4")


def test_a_path_elsewhere_is_the_same_place_only_under_the_same_name() -> None:
    """./data and /workspace/data are one setting; two tokenizers are not."""
    assert same_place("./data/", "/workspace/pr/data")
    assert not same_place("tok/sp1024.model", "/x/tok/sp8192.model")


def test_literals_are_python_constants() -> None:
    """The static engine folds conditions on these."""
    assert [literal(t) for t in ("3", "0.5", "True", "None", "brotli", "1e-3")] == [
        3,
        0.5,
        True,
        None,
        "brotli",
        0.001,
    ]
