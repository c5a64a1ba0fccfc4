"""Device names: every device is the CPU, and tensors say that they are on a GPU.

Strings in calls are rewritten by `rewrite`, which mode.py applies to each torch call.
"""

from __future__ import annotations

from typing import Any

import torch

from golf_audit.dynamic.child.context import Context, replace

_REAL = torch.device
CPU = _REAL("cpu")
META = _REAL("meta")


class _Devices(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _REAL)


class Device(metaclass=_Devices):
    """torch.device: whatever is named, the CPU is meant; "meta" stays."""

    def __new__(cls, name: Any = "cpu", *args: Any, **options: Any) -> Any:
        kind = (
            name.type if isinstance(name, _REAL) else str(name if name is not None else options.get("type"))
        )
        return META if kind.startswith("meta") else CPU


def is_gpu(value: object) -> bool:
    """True for what names a GPU: "cuda", "cuda:0", a device index given as device."""
    return isinstance(value, str) and value.startswith(("cuda", "gpu")) and value[4:5] in ("", ":")


def rewrite(args: tuple[Any, ...], options: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a torch call with every GPU replaced by the CPU, pinned memory by ordinary memory."""
    if "device" in options:
        device = options["device"]
        if is_gpu(device) or (isinstance(device, int) and not isinstance(device, bool)):
            options = {**options, "device": CPU}
    if options.get("pin_memory"):
        options = {**options, "pin_memory": False}
    for index, value in enumerate(args):
        if type(value) is str and is_gpu(value):
            args = (*args[:index], CPU, *args[index + 1 :])
    return args, options


class _Generator:
    """torch.Generator on any device."""

    def __new__(cls, device: Any = None) -> Any:
        return _REAL_GENERATOR()


_REAL_GENERATOR = torch.Generator


def install(context: Context) -> None:
    """Replace device objects and the methods that move tensors between devices."""
    context.used("CUDA", "everything runs on the CPU")
    replace(torch, device=Device, Generator=_Generator, set_default_device=lambda device: None)
    replace(
        torch.Tensor,
        cuda=lambda self, *args, **kwargs: self,
        is_cuda=property(lambda self: True),
        pin_memory=lambda self, *args, **kwargs: self,
        is_pinned=lambda self, *args, **kwargs: True,
        record_stream=lambda self, stream: None,
        get_device=lambda self: 0,
    )
    replace(torch.nn.Module, cuda=lambda self, device=None: self)
    for name in ("Float", "Double", "Long", "Int", "Byte", "Bool", "Half"):
        setattr(torch.cuda, f"{name}Tensor", getattr(torch, f"{name}Tensor"))
