"""The modules merged into one self-contained train_gpt.py, with a configuration baked in.

Each default becomes an environment variable of its name in upper case, as in the records' scripts. Docstrings
of modules become comments, so the legends of shapes stay beside the code.
"""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields, is_dataclass
from pathlib import Path

from golf_ref import config
from golf_ref.config import Cfg, DataCfg, Setting, override

RULE = "# " + 100 * "-"
# In the order of the computation; a module may import only from those above it.
MODULES = (
    "ticker",
    "log",
    "distributed",
    "caseops",
    "tokenizer",
    "attention",
    "kernels",
    "losses",
    "layers",
    "model",
    "data",
    "evaluate",
    "muon",
    "optim",
    "train",
    "hessian",
    "gptq",
    "lqer",
    "quantize",
    "codecs",
    "artifact",
    "ttt_sgd",
    "ttt_lora",
    "pipeline",
)
MAIN = '''
def main() -> None:
    """Train, quantise, evaluate; writes the log, the artifact and a report into the current folder."""
    cfg = Cfg()
    one_thread_on_cpu()
    ranks, device = join_ranks()
    log = RunLog(Path(f"train_seed{cfg.train.seed}.log"), rank=ranks.rank)
    data = load_data(cfg)
    ttt_kinds = (cfg.ttt.ttt_kind,) if cfg.ttt.ttt_enabled else ()
    script = Path(__file__).read_text(encoding="utf-8")
    run_record(cfg, data, Path("."), script, ttt_kinds, ranks, device, log)
    leave_ranks(ranks)


if __name__ == "__main__":
    main()
'''


def make_script(cfg: Cfg) -> str:
    """Source of a script that runs cfg without golf_ref; ValueError if two modules define the same name."""
    cfg = override(
        cfg, [f"data_path={DataCfg.data_path}"]
    )  # where the shards lie is not part of a submission
    bodies = [config_section(cfg)]
    imports = ast.parse("import os\nfrom dataclasses import dataclass, fields").body
    owners = dict.fromkeys(top_level_names(ast.parse(bodies[0]).body), "config")
    for module in MODULES:
        source = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
        tree = ast.parse(source)
        for name in top_level_names(tree.body):
            if name in owners:
                raise ValueError(f"{name} is defined in {owners[name]} and in {module}: one would be lost")
            owners[name] = module
        imports += outside_imports(tree, module, owners)
        bodies.append(module_section(module, source, tree))
    title = (
        f'"""The golf_ref stack with preset {cfg.preset} as one file, made by `python -m golf_ref bundle`."""'
    )
    head = [title, "", "from __future__ import annotations", "", *import_lines(imports, owners), ""]
    return "\n".join([*head, *bodies, MAIN])


def config_section(cfg: Cfg) -> str:
    """config.py with cfg's values as defaults: NAME: type = type(os.environ.get("NAME", "value"))."""
    sections = {f.name: getattr(cfg, f.name) for f in fields(cfg) if is_dataclass(getattr(cfg, f.name))}
    lines = [section_title("config", "Every setting is an environment variable of its name in upper case.")]
    for section in sections.values():
        lines += ["@dataclass(frozen=True)", f"class {type(section).__name__}:"]
        lines += [f"    {setting_line(f.name, getattr(section, f.name))}" for f in fields(section)] + ["", ""]
    lines += ["@dataclass(frozen=True)", "class Cfg:", f'    preset: str = "{cfg.preset}"']
    lines += [f"    {name}: {type(s).__name__} = {type(s).__name__}()" for name, s in sections.items()]
    lines += ["", "", "Setting = bool | int | float | str", f"_SECTIONS = {tuple(sections)!r}", "", ""]
    return "\n".join(lines) + inspect.getsource(config.hyperparameters)


def setting_line(name: str, value: Setting) -> str:
    text = str(int(value)) if isinstance(value, bool) else str(value)
    environ = f'os.environ.get("{name.upper()}", "{text}")'
    if isinstance(value, bool):
        return f"{name}: bool = bool(int({environ}))"
    kind = type(value).__name__
    return f"{name}: {kind} = {environ}" if kind == "str" else f"{name}: {kind} = {kind}({environ})"


def module_section(module: str, source: str, tree: ast.Module) -> str:
    """The module's text without its imports, its docstring as a comment."""
    lines = source.splitlines()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) or node is docstring_node(tree):
            assert node.end_lineno is not None
            for number in range(node.lineno - 1, node.end_lineno):
                lines[number] = ""
    body = re.sub(r"\n{4,}", "\n\n\n", "\n".join(lines)).strip("\n")
    return section_title(module, ast.get_docstring(tree) or "") + body + "\n"


def docstring_node(tree: ast.Module) -> ast.stmt | None:
    return tree.body[0] if ast.get_docstring(tree) is not None else None


def section_title(module: str, docstring: str) -> str:
    comment = "\n".join(f"# {line}".rstrip() for line in docstring.splitlines())
    return f"\n{RULE}\n# {module}\n#\n{comment}\n\n\n"


def top_level_names(statements: list[ast.stmt]) -> list[str]:
    """Names that these statements define, also those under a top-level `if` or `try`, once each."""
    names: list[str] = []
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.append(node.name)
        elif isinstance(node, ast.Assign):
            names += [
                leaf.id for target in node.targets for leaf in ast.walk(target) if isinstance(leaf, ast.Name)
            ]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.append(node.target.id)
        elif isinstance(node, ast.If):
            names += top_level_names(node.body + node.orelse)
        elif isinstance(node, ast.Try):
            names += top_level_names(node.body + node.orelse + [s for h in node.handlers for s in h.body])
    return list(dict.fromkeys(names))


def outside_imports(tree: ast.Module, module: str, owners: dict[str, str]) -> list[ast.stmt]:
    """Imports from outside golf_ref; one from inside must name something that already stands above."""
    outside: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("golf_ref"):
            for alias in node.names:
                if alias.asname or alias.name not in owners:
                    raise ValueError(
                        f"{module} imports {alias.name} from {node.module}: not above it in the script"
                    )
        elif isinstance(node, ast.Import) or (
            isinstance(node, ast.ImportFrom) and node.module != "__future__"
        ):
            outside.append(node)
    return outside


def import_lines(imports: list[ast.stmt], owners: dict[str, str]) -> list[str]:
    """The imports, each name once, sorted; ValueError if a name would stand for two things."""
    meanings: dict[str, str] = {}
    modules: set[str] = set()
    members: dict[str, set[str]] = {}
    for node in imports:
        assert isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names:
            bound = alias.asname or alias.name.split(".")[0]
            text = f"{alias.name} as {alias.asname}" if alias.asname else alias.name
            module = f"module {alias.name if alias.asname else bound}"
            meaning = f"{node.module}.{alias.name}" if isinstance(node, ast.ImportFrom) else module
            if bound in owners or meanings.setdefault(bound, meaning) != meaning:
                raise ValueError(f"{bound} would mean {meaning} and {meanings.get(bound, owners.get(bound))}")
            if isinstance(node, ast.ImportFrom):
                members.setdefault(str(node.module), set()).add(text)
            else:
                modules.add(text)
    plain = [f"import {text}" for text in sorted(modules)]
    return plain + [
        f"from {module} import {', '.join(sorted(members[module]))}" for module in sorted(members)
    ]
