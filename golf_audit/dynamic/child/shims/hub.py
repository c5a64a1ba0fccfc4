"""Packages that use the network: the kernels hub gives our attention, trackers do nothing."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType, SimpleNamespace
from typing import Any

from golf_audit.dynamic.child.context import Context, Quiet, module


def kernel(name: str, *args: Any, **options: Any) -> Any:
    """kernels.get_kernel: flash attention; no other kernel is known."""
    if "flash" not in name.lower():
        raise NotImplementedError(f"no stand-in for the hub kernel {name}")
    third = "3" in name
    found = importlib.import_module("flash_attn_interface" if third else "flash_attn")
    content = {key: value for key, value in vars(found).items() if key.startswith("flash_attn_")}
    return SimpleNamespace(**content, flash_attn_interface=SimpleNamespace(**content))


class _Progress:
    """tqdm: the iterable, without a bar."""

    def __init__(self, iterable: Any = None, *args: Any, **options: Any) -> None:
        self.iterable = iterable if iterable is not None else range(options.get("total") or 0)
        self.n = 0

    def __iter__(self) -> Any:
        return iter(self.iterable)

    def __len__(self) -> int:
        return len(self.iterable)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *exception: object) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return Quiet(name)


def install(context: Context) -> None:
    """Offer kernels, silence trackers, and stand in for tqdm and the like where they are not installed."""

    def get_kernel(name: str, *args: Any, **options: Any) -> Any:
        context.used("kernels", f"hub kernel {name}")
        return kernel(name, *args, **options)

    module("kernels", get_kernel=get_kernel, has_kernel=lambda *args, **options: True)
    for name in ("wandb", "comet_ml", "trackio"):
        quiet(name)  # installed or not: there is no network, and a run must not depend on the machine
    for name in ("setproctitle", "colorlog"):
        if importlib.util.find_spec(name) is None:
            quiet(name)
    if importlib.util.find_spec("tqdm") is None:
        made: Any = module("tqdm", tqdm=_Progress, trange=lambda n, *a, **o: _Progress(range(n)))
        made.__path__ = []
        module("tqdm.auto", tqdm=_Progress)
    if importlib.util.find_spec("tensorboard") is None:
        module("torch.utils.tensorboard", SummaryWriter=Quiet("SummaryWriter"))


def quiet(name: str) -> ModuleType:
    """A package of which everything may be called without effect."""
    return module(name, **{"__getattr__": Quiet})
