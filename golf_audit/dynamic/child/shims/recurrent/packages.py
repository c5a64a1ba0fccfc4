"""The packages mamba_ssm, causal_conv1d and fla, where they are not installed."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from golf_audit.dynamic.child.context import Context, module
from golf_audit.dynamic.child.shims.recurrent import (
    convolution,
    delta,
    mamba,
    mamba2,
    mamba3,
    norms,
    scans,
)


def install(context: Context) -> None:
    """Offer what is not installed."""
    for name, offer in (("mamba_ssm", _mamba), ("causal_conv1d", _causal_conv), ("fla", _fla)):
        if importlib.util.find_spec(name) is None:
            offer(context)


def _package(name: str, **content: Any) -> ModuleType:
    """A module that may have others below it; those that it lacks are missing as any module is."""
    made = module(name, **content)
    made.__path__ = []
    made.__spec__ = ModuleSpec(name, None, is_package=True)
    return made


def _told(context: Context, package: str, real: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The stand-in under its real name, which says that it was used."""

    def called(*args: Any, **options: Any) -> Any:
        context.used(package, f"{real} step by step")
        return function(*args, **options)

    called.__name__ = called.__qualname__ = real
    called.__signature__ = inspect.signature(function)  # type: ignore[attr-defined]
    return called


def _layer(context: Context, place: str, real: Any) -> Any:
    """The stand-in of a layer under the address of the real one, which says that it was built."""
    package = place.partition(".")[0]

    def init(self: Any, *args: Any, **options: Any) -> None:
        context.used(package, f"{real.__name__} step by step")
        real.__init__(self, *args, **options)

    init.__signature__ = inspect.signature(real.__init__)  # type: ignore[attr-defined]
    return type(real.__name__, (real,), {"__init__": init, "__module__": place, "__doc__": real.__doc__})


def _mamba(context: Context) -> None:
    scan = _told(context, "mamba_ssm", "selective_scan_fn", scans.selective_scan)
    siso = _told(context, "mamba_ssm", "mamba3_siso_combined", mamba3.siso)
    root = _package("mamba_ssm")
    for name in ("modules", "ops", "ops.triton", "ops.triton.mamba3"):
        _package(f"mamba_ssm.{name}")
    module("mamba_ssm.ops.selective_scan_interface", selective_scan_fn=scan, selective_scan_ref=scan)
    module("mamba_ssm.ops.triton.layernorm_gated", RMSNorm=norms.RMSNormGated)
    module("mamba_ssm.ops.triton.mamba3.mamba3_siso_combined", mamba3_siso_combined=siso)
    chunk_scan = _told(context, "mamba_ssm", "mamba_chunk_scan_combined", mamba2.chunk_scan)
    module("mamba_ssm.ops.triton.ssd_combined", mamba_chunk_scan_combined=chunk_scan)
    layers = {"mamba_simple": mamba.Mamba, "mamba2": mamba2.Mamba2, "mamba3": mamba3.Mamba3}
    for name, layer in layers.items():
        place = f"mamba_ssm.modules.{name}"
        offered = {layer.__name__: _layer(context, place, layer)}
        module(place, **offered)
        root.__dict__.update(offered)
    root.__dict__["selective_scan_fn"] = scan


def _causal_conv(context: Context) -> None:
    module("causal_conv1d", causal_conv1d_fn=convolution.causal_conv)


_FLA_LACKS = {"GatedDeltaProduct": "gated_deltaproduct", "Mamba2": "mamba2"}
"""Layers that scripts import beside those they build."""


def _fla(context: Context) -> None:
    gated = _told(context, "fla", "chunk_gated_delta_rule", delta.gated_delta_rule)
    plain = _told(context, "fla", "chunk_delta_rule", delta.delta_rule)
    for name in ("fla", "fla.ops", "fla.layers", "fla.modules"):
        _package(name)
    for rule, function in (("gated_delta_rule", gated), ("delta_rule", plain)):
        named = {f"{way}_{rule}": function for way in ("chunk", "fused_recurrent")}
        _package(f"fla.ops.{rule}", **named)
        for way in ("chunk", "fused_recurrent"):
            module(f"fla.ops.{rule}.{way}", **named)
        sys.modules["fla.ops"].__dict__.update(named)
    short = convolution.ShortConvolution
    module("fla.modules.convolution", causal_conv1d=convolution.short_conv, ShortConvolution=short)
    parts = {"RMSNorm": norms.RMSNorm, "FusedRMSNormGated": norms.FusedRMSNormGated}
    sys.modules["fla.modules"].__dict__.update(parts, ShortConvolution=short)
    layers = {"gated_deltanet": delta.GatedDeltaNet, "delta_net": delta.DeltaNet}
    offered = {name: _layer(context, f"fla.layers.{name}", layer) for name, layer in layers.items()}
    offered |= {place: _lacking(f"fla.layers.{name}") for name, place in _FLA_LACKS.items()}
    for place, layer in offered.items():
        module(f"fla.layers.{place}", **{layer.__name__: layer})
        sys.modules["fla.layers"].__dict__[layer.__name__] = layer


def _lacking(name: str) -> type:
    """A layer that can be imported, and ends the run when it is built."""

    def init(self: Any, *args: Any, **options: Any) -> None:
        raise NotImplementedError(f"no stand-in for {name}")

    return type(name.rpartition(".")[2], (), {"__init__": init})
