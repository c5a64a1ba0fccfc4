"""All parameters and buffers of all modules: their fingerprint, and what changed since the last look."""

from __future__ import annotations

import weakref
import zlib
from typing import Any

import torch
from torch import nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from golf_audit.dynamic.child.context import Context, bounded, replace
from golf_audit.dynamic.child.shims.compiling import Compiled
from golf_audit.dynamic.messages import LOOSE, Change, Phase, Step

_GRAPH = 50_000
"""Nodes of a graph that are looked at."""
NAMES = 200
"""Names that one message lists."""


class Weights:
    """Watches every module that is made or called."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._modules: weakref.WeakSet[nn.Module] = weakref.WeakSet()
        self._count = -1
        self._state: list[tuple[str, weakref.ref[Any]]] = []
        self._sums: dict[str, int] = {}
        self._trained = False

    def install(self) -> None:
        """Watch construction, calls and optimizer steps."""
        self.watch()
        register_optimizer_step_post_hook(self._stepped)

    def watch(self) -> None:
        """Watch construction and calls: which tensors are parameters."""
        watched = self._modules
        real = nn.Module.__init__

        def init(module: nn.Module, *args: Any, **options: Any) -> None:
            real(module, *args, **options)
            watched.add(module)

        replace(nn.Module, __init__=init)
        nn.modules.module.register_module_forward_pre_hook(lambda module, inputs: watched.add(module))

    def fingerprint(self) -> str:
        """A fingerprint of everything; tells about changes that no optimizer step explains."""
        changed = self._look()
        if changed:
            self.context.send(Change(names=tuple(changed[:NAMES]), site=self.context.site()))
        return f"{zlib.crc32(repr(sorted(self._sums.items())).encode()):08x}"

    def reached(self, losses: Any) -> str:
        """What a backward pass from these losses reaches: "parameters" of a module, or only "scratch"."""
        own = {id(tensor) for _, tensor in self._tensors()}
        seen: set[Any] = set()
        waiting = [losses.grad_fn]
        leaves = 0
        while waiting and len(seen) < _GRAPH:
            node = waiting.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            leaf = getattr(node, "variable", None)
            if leaf is not None:
                leaves += 1
                if id(leaf) in own:
                    return "parameters"
            waiting += [following for following, _ in node.next_functions]
        return "scratch" if leaves and not waiting else ""

    def _stepped(self, optimizer: Any, args: Any, options: Any) -> None:
        with torch._C.DisableTorchFunction():
            changed = self._look()
        if not self._trained:
            self._trained = True
            self.context.send(Phase(name="train"))
        names = changed[:NAMES] or [_loose(optimizer)]
        self.context.send(
            Step(
                optimizer=type(optimizer).__name__, site=self.context.site(), names=tuple(map(bounded, names))
            )
        )

    def _look(self) -> list[str]:
        """Names of what differs from the last look. New tensors are no change."""
        sums = {}
        for name, tensor in self._tensors():
            data = tensor.detach()
            if data.is_sparse or data.device.type == "meta":
                continue
            data = data if data.is_contiguous() else data.contiguous()
            sums[name] = (
                zlib.crc32(memoryview(data.cpu().reshape(-1).view(torch.uint8).numpy()))
                if data.numel()
                else 0
            )
        changed = [name for name, value in sums.items() if self._sums.get(name, value) != value]
        self._sums = sums
        return changed

    def _tensors(self) -> list[tuple[str, Any]]:
        """Every parameter and buffer once, named from its outermost module."""
        if len(self._modules) != self._count:
            self._count = len(self._modules)
            modules = [module for module in self._modules if not isinstance(module, Compiled)]
            inner = {id(child) for module in modules for child in module.children()}
            self._roots = [weakref.ref(module) for module in modules if id(module) not in inner]
        found: list[tuple[str, Any]] = []
        seen: set[int] = set()
        classes: dict[str, int] = {}
        roots = [root for root in (ref() for ref in self._roots) if root is not None]
        for root in sorted(roots, key=lambda module: -sum(1 for _ in module.parameters())):
            kind = type(root).__name__
            classes[kind] = classes.get(kind, 0) + 1
            prefix = kind if classes[kind] == 1 else f"{kind}#{classes[kind]}"
            for name, tensor in (*root.named_parameters(), *root.named_buffers()):
                if id(tensor) not in seen:
                    seen.add(id(tensor))
                    found.append((f"{prefix}.{name}", tensor))
        return found


def _loose(optimizer: Any) -> str:
    """A name for tensors that belong to no module, such as the offsets that SLOT trains."""
    shapes = [tuple(p.shape) for group in optimizer.param_groups for p in group["params"][:3]]
    return f"{LOOSE} {shapes[:3]}"
