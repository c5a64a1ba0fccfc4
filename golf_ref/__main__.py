"""python -m golf_ref data|train|quantize|evaluate|ttt|bundle|pipeline|plot --preset P [key=value]"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import torch
from rich.console import Console
from rich.table import Table

from golf_ref.artifact import pack_artifact, unpack_artifact
from golf_ref.bundle import Author, run_script, write_papers, write_script
from golf_ref.config import PRESETS, Cfg, preset
from golf_ref.data import Data, load_data
from golf_ref.data_prepare import prepare
from golf_ref.distributed import ALONE, join_ranks, leave_ranks
from golf_ref.log import RunLog
from golf_ref.model import GPT, rebank, unbank
from golf_ref.onefile import make_script
from golf_ref.pipeline import (
    ARTIFACT,
    TTT_TAGS,
    Stage,
    adapt_artifact,
    evaluate_artifact,
    one_thread_on_cpu,
    run_record,
    write_artifact,
)
from golf_ref.plot import draw_report
from golf_ref.train import train

CHECKPOINT = "trained_model.golf"  # fp32, before quantisation


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The reference implementation of the parameter-golf record stack."""
    one_thread_on_cpu()


def run_options(function: Callable[..., None]) -> Callable[..., None]:
    """What all commands share: a preset, key=value overrides and the folder of the run."""
    for option in (
        click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]..."),
        click.option("--preset", "name", type=click.Choice(list(PRESETS)), default="tiny", show_default=True),
        click.option("--out", type=click.Path(path_type=Path), help="Folder of the run [runs/PRESET]."),
    ):
        function = option(function)
    return function


def configure(name: str, overrides: tuple[str, ...], out: Path | None) -> tuple[Cfg, Path]:
    """Configuration and folder of a run; shards lie in the folder's data/ unless an override says so."""
    out = out or Path("runs") / name
    try:
        cfg = preset(name, [f"data_path={out / 'data'}", *overrides])
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    out.mkdir(parents=True, exist_ok=True)
    return cfg, out


def shards(cfg: Cfg, rank: int = 0) -> Data:
    """Open the shards, making or fetching them first where there are none."""
    folder = Path(cfg.data.data_path)
    if rank == 0 and not any(folder.glob("fineweb_train_*.bin")):
        prepare(cfg, folder)
    return load_data(cfg)


@main.command()
@run_options
def data(name: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Make shards from text, or fetch the published ones."""
    cfg, _ = configure(name, overrides, out)
    for key, count in prepare(cfg, Path(cfg.data.data_path)).items():
        click.echo(f"{key}: {count}")


@main.command("train")
@run_options
def train_command(name: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Train; keeps the averaged weights in fp32 (torchrun: -m golf_ref train)."""
    cfg, out = configure(name, overrides, out)
    ranks, device = join_ranks()
    log = RunLog(out / "train.log", rank=ranks.rank)
    result = train(cfg, shards(cfg, ranks.rank), ranks, device, log)
    if ranks.rank == 0:
        weights = unbank(result.ema_model)
        meta = dict.fromkeys(weights, "passthrough (float32)")
        (out / CHECKPOINT).write_bytes(pack_artifact(weights, meta, "raw", "flat"))
        click.echo(f"wrote {out / CHECKPOINT}")
    leave_ranks(ranks)


@main.command()
@run_options
def quantize(name: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Quantise what `train` kept, compress it and check the cap."""
    cfg, out = configure(name, overrides, out)
    model = GPT(cfg.model).to(device_here())
    rebank(model, unpack_artifact((out / CHECKPOINT).read_bytes())[0])
    model.set_looping(cfg.model.num_loops > 0)
    log = RunLog(out / "quantize.log")
    write_artifact(cfg, model, shards(cfg), out / ARTIFACT, make_script(cfg), ALONE, device_here(), log)


@main.command()
@run_options
def evaluate(name: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Score the artifact: whole windows, and sliding windows where the preset has them."""
    cfg, out = configure(name, overrides, out)
    log = RunLog(out / "evaluate.log")
    show(evaluate_artifact(cfg, shards(cfg), out / ARTIFACT, ALONE, device_here(), log))


@main.command()
@click.option("--kind", type=click.Choice(list(TTT_TAGS)), help="Default: the preset's ttt_kind.")
@run_options
def ttt(name: str, overrides: tuple[str, ...], out: Path | None, kind: str | None) -> None:
    """Score the artifact while it adapts to what has been scored."""
    cfg, out = configure(name, overrides, out)
    log = RunLog(out / "ttt.log")
    kind = kind or cfg.ttt.ttt_kind
    show([adapt_artifact(cfg, shards(cfg), out / ARTIFACT, kind, ALONE, device_here(), log)])


@main.command()
@run_options
def pipeline(name: str, overrides: tuple[str, ...], out: Path | None) -> None:
    """Everything in one run, with all three kinds of test-time training."""
    cfg, out = configure(name, overrides, out)
    ranks, device = join_ranks()
    log = RunLog(out / f"train_seed{cfg.train.seed}.log", rank=ranks.rank)
    data = shards(cfg, ranks.rank)
    stages = run_record(cfg, data, out, make_script(cfg), tuple(TTT_TAGS), ranks, device, log)
    if ranks.rank == 0:
        show(stages)
    leave_ranks(ranks)


@main.command()
@click.option("--report", type=click.Path(path_type=Path, exists=True), help="[OUT/report.json]")
@run_options
def plot(name: str, overrides: tuple[str, ...], out: Path | None, report: Path | None) -> None:
    """Draw loss, learning rate and bits per byte by stage of a finished run."""
    _, out = configure(name, overrides, out)
    draw_report(report or out / "report.json", out / "report.png")
    click.echo(f"wrote {out / 'report.png'}")


@main.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="The record folder to write.")
@click.option("--seeds", default="", help="Run the script once per seed, e.g. 42,314,999; else see --log.")
@click.option(
    "--log", "logs", multiple=True, type=click.Path(path_type=Path, exists=True), help="Log of a run."
)
@click.option("--packed", is_flag=True, help="Ship the self-extracting script instead of the readable one.")
@click.option("--author", required=True)
@click.option("--github-id", required=True)
@click.option("--title", default="golf_ref", show_default=True)
@click.option("--blurb", default="The reference stack of golf-audit.", show_default=True)
@run_options
def bundle(
    name: str,
    overrides: tuple[str, ...],
    out: Path | None,
    folder: Path,
    seeds: str,
    logs: tuple[Path, ...],
    packed: bool,
    author: str,
    github_id: str,
    title: str,
    blurb: str,
) -> None:
    """Write a record folder; its numbers come from the logs of runs of its own script."""
    cfg, _ = configure(name, overrides, out)
    write_script(cfg, folder, packed)
    if seeds:
        shards(cfg)
    kept = [run_script(folder, int(seed), Path(cfg.data.data_path)) for seed in seeds.split(",") if seed]
    kept += [copy_log(log, folder) for log in logs]
    if not kept:
        click.echo(f"wrote {folder / 'train_gpt.py'}; run it, then pass its logs with --log")
        return
    claim = write_papers(cfg, folder, kept, Author(author, github_id, title, blurb))
    click.echo(f"wrote {folder}: val_bpb {claim['val_bpb']}, {claim['bytes_total']} bytes")


def copy_log(log: Path, folder: Path) -> Path:
    """The log's text under the same name in the folder."""
    target = folder / log.name
    if log.resolve() != target.resolve():
        target.write_bytes(log.read_bytes())
    return target


def device_here() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def show(stages: list[Stage]) -> None:
    """Bits per byte of each stage as a table."""
    table = Table(title="bits per byte by stage")
    table.add_column("stage")
    for column in ("val_loss", "val_bpb", "seconds", "tokens", "bytes"):
        table.add_column(column, justify="right")
    for stage in stages:
        s = stage.score
        figures = (
            f"{s.val_loss:.5f}",
            f"{s.val_bpb:.5f}",
            f"{stage.seconds:.1f}",
            f"{s.tokens}",
            f"{s.bytes}",
        )
        table.add_row(stage.tag, *figures)
    Console().print(table)


if __name__ == "__main__":
    main()
