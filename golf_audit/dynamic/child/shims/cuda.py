"""torch.cuda: one H100 that answers every question and never waits."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import torch

from golf_audit.dynamic.child.context import Context, replace

MEMORY = 85_000_000_000
PROPERTIES = SimpleNamespace(
    name="NVIDIA H100 80GB HBM3",
    major=9,
    minor=0,
    multi_processor_count=132,
    total_memory=MEMORY,
    warp_size=32,
    max_threads_per_multi_processor=2048,
    shared_memory_per_block_optin=232_448,
    regs_per_multiprocessor=65_536,
    L2_cache_size=52_428_800,
    gcnArchName="",
    is_integrated=False,
)


class Stream:
    """A queue whose work is done when it is given."""

    cuda_stream = 0
    device = None

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def synchronize(self) -> None: ...

    def wait_stream(self, other: Any) -> None: ...

    def wait_event(self, event: Any) -> None: ...

    def query(self) -> bool:
        return True

    def record_event(self, event: Any = None) -> Any:
        return event or Event()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *exception: object) -> None: ...


class Event:
    """A mark in a queue, passed as soon as it is set."""

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def record(self, stream: Any = None) -> None: ...

    def wait(self, stream: Any = None) -> None: ...

    def synchronize(self) -> None: ...

    def query(self) -> bool:
        return True

    def elapsed_time(self, end: Any) -> float:
        return 0.1


class Graph:
    """torch.cuda.CUDAGraph: a recorded graph cannot be replayed without the device."""

    def __init__(self, *args: Any, **options: Any) -> None:
        raise NotImplementedError("CUDA graphs are not available in the miniature")


class Scaler:
    """torch.amp.GradScaler: scales by one."""

    def __init__(self, *args: Any, **options: Any) -> None: ...

    def scale(self, loss: Any) -> Any:
        return loss

    def unscale_(self, optimizer: Any) -> None: ...

    def step(self, optimizer: Any, *args: Any, **options: Any) -> Any:
        return optimizer.step(*args, **options)

    def update(self, new_scale: Any = None) -> None: ...

    def get_scale(self) -> float:
        return 1.0

    def is_enabled(self) -> bool:
        return True

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None: ...


def answers() -> dict[str, Any]:
    """What torch.cuda's functions return."""
    stream = Stream()
    zero = dict.fromkeys(
        (
            "max_memory_allocated",
            "max_memory_reserved",
            "memory_allocated",
            "memory_reserved",
            "current_device",
            "initial_seed",
            "utilization",
        ),
        0,
    )
    nothing = dict.fromkeys(
        (
            "synchronize",
            "set_device",
            "empty_cache",
            "reset_peak_memory_stats",
            "reset_max_memory_allocated",
            "manual_seed",
            "manual_seed_all",
            "seed_all",
            "init",
            "ipc_collect",
            "set_stream",
            "_lazy_init",
            "set_per_process_memory_fraction",
            "set_rng_state",
            "set_rng_state_all",
            "set_sync_debug_mode",
            "reset_accumulated_memory_stats",
        ),
        None,
    )
    yes = dict.fromkeys(("is_available", "is_initialized", "is_bf16_supported"), True)
    constant = {
        **zero,
        **nothing,
        **yes,
        "device_count": 1,
        "get_device_name": PROPERTIES.name,
        "get_device_properties": PROPERTIES,
        "get_device_capability": (9, 0),
        "mem_get_info": (MEMORY, MEMORY),
        "memory_stats": {},
        "memory_summary": "",
        "current_stream": stream,
        "default_stream": stream,
        "get_rng_state_all": [],
        "get_arch_list": ["sm_90"],
    }
    return {name: _constant(value) for name, value in constant.items()}


def _constant(value: Any) -> Any:
    return lambda *args, **options: value


def install(context: Context) -> None:
    """Replace the functions of torch.cuda and the switches of its backends."""
    for name, function in answers().items():
        setattr(torch.cuda, name, function)
    cuda: Any = torch.cuda
    cuda.get_rng_state = lambda *args: torch.get_rng_state()
    cuda.Stream, cuda.Event, cuda.ExternalStream = Stream, Event, Stream
    cuda.CUDAGraph, cuda.graph = Graph, Graph
    cuda.stream = lambda stream: contextlib.nullcontext()
    cuda.device = lambda device: contextlib.nullcontext()
    cuda.amp.GradScaler = Scaler
    cuda.nvtx = SimpleNamespace(
        range_push=_constant(None),
        range_pop=_constant(None),
        range=lambda *a: contextlib.nullcontext(),
        mark=_constant(None),
    )
    replace(torch.amp, GradScaler=Scaler)
    torch.version.cuda = "12.8"
    _backends()


def _backends() -> None:
    """Kernel choices change nothing here; on a CPU some would leave no kernel at all."""
    for name in ("enable_cudnn_sdp", "enable_flash_sdp", "enable_math_sdp", "enable_mem_efficient_sdp"):
        setattr(torch.backends.cuda, name, _constant(None))
    replace(torch.backends.cuda, sdp_kernel=lambda *args, **options: contextlib.nullcontext())
    replace(torch.nn.attention, sdpa_kernel=lambda *args, **options: contextlib.nullcontext())
    replace(torch, use_deterministic_algorithms=_constant(None))
