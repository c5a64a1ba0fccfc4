"""What calls of libraries mean. A function that is not named here depends on all of its arguments."""

from __future__ import annotations

import ast
import re

from golf_audit.static.atoms import NONE, Ix, Taint, union
from golf_audit.static.interpreter.builtin import BUILTINS, Builtins
from golf_audit.static.interpreter.calls import names_loss
from golf_audit.static.interpreter.files import Files
from golf_audit.static.interpreter.interface import Handler
from golf_audit.static.interpreter.positions import ELEMENTWISE
from golf_audit.static.interpreter.standard import Standard
from golf_audit.static.interpreter.tensorcalls import FRESH, TensorCalls
from golf_audit.static.values import NOTHING, Args, Bound, Fn, Keywords, Lib, Lst, Obj, Unk, Value, known

_MODULES = ("torch.nn.", "transformers.", "flash_attn.", "fla.", "torch.nn.modules.")

_NATIVE = ("ctypes.CDLL", "ctypes.cdll", "torch.utils.cpp_extension", "cffi.", "torch.ops.")

_SAME = frozenset(
    ["compile", "DistributedDataParallel", "DDP", "checkpoint", "FullyShardedDataParallel", "script", "jit"]
)

_NETWORK = (
    "huggingface_hub.",
    "requests.get",
    "requests.post",
    "urllib.request.",
    "kernels.get_kernel",
    "wget.",
    "datasets.load_dataset",
    "torch.hub.load",
    "gdown.",
    "socket.create_connection",
)

_SHELLS = frozenset(
    ["subprocess.run", "subprocess.check_call", "subprocess.call", "subprocess.check_output", "os.system"]
)

_DOWNLOADS = re.compile(r"\b(pip3?\s+install|apt(-get)?\s|curl\s|wget\s|git\s+clone|huggingface-cli)")

_WORDS = {
    "torch.distributed.get_rank": 0,
    "torch.distributed.get_world_size": 8,
    "torch.distributed.is_initialized": True,
    "torch.distributed.is_available": True,
    "torch.cuda.is_available": True,
    "torch.cuda.device_count": 8,
    "torch.distributed.is_nccl_available": True,
}


class Library(Files, Builtins, TensorCalls, Standard):
    """Calls of library functions."""

    def library(self, fn: Lib, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        """Call a name of a library."""
        name = fn.name
        if name.startswith(_NETWORK) or (name in _SHELLS and self._downloads(args)):
            self.fetch(node, name)
        if name in _WORDS:
            return _WORDS[name]
        handler = _BY_NAME.get(name) or (_BY_LAST.get(fn.last) if not name.startswith("builtins.") else None)
        if args and self._is_empty(fn.last, args[0]):
            return Unk(kind=NOTHING)
        if handler is not None:
            return handler(self, args, keywords, node)
        if name.startswith("builtins."):
            return self._builtin(fn.last, args, keywords, node)
        if name.startswith("math.") and all(known(a) for a in args):
            return self._math(fn.last, args)
        if "optim" in name and fn.last[:1].isupper() and "lr_scheduler" not in name:
            made = Obj(fn, "optimizer")
            made.attrs["*params"] = Lst([*args, *keywords.values()])
            return made
        if names_loss(fn.last) and len(args) + len(keywords) >= 2:
            return self.loss_call(args, keywords, node)
        if fn.last[:1].isupper() and (name.startswith(_MODULES) or ".nn." in name):
            return self._layer(fn, args, keywords)
        if name.startswith(_NATIVE):
            return Unk(self.facts_of(args, keywords) | self.lost(f"native code ({name})", node), "native")
        return self._any_function(fn, args, keywords, node)

    @staticmethod
    def _is_empty(name: str, content: Value) -> bool:
        """True where a call makes an array of no elements: array([]), empty(0)."""
        if name in ("array", "asarray", "tensor"):
            plain = isinstance(content, Lst) and content.rest is None and content.base is None
            return plain and content.items == []
        return name in ("empty", "zeros") and type(content) in (int, tuple) and content in (0, (0,))

    def _downloads(self, args: Args) -> bool:
        """True when a command that is started installs or downloads something."""
        items = self.sequence(args[0]) if args and isinstance(args[0], (Lst, tuple)) else args[:1]
        words = " ".join(self.path_text(item) for item in items or ())
        return _DOWNLOADS.search(words) is not None

    def _any_function(self, fn: Lib, args: Args, keywords: Keywords, node: ast.AST) -> Value:
        for arg in (*args, *keywords.values()):
            if isinstance(arg, (Fn, Bound)) and fn.last in ("map", "filter", "starmap", "submit", "imap"):
                return Lst(
                    None, self.call(arg, [self.any_element(a) for a in args if a is not arg], {}, node)
                )
        taints = [self.taint(a) for a in (*args, *keywords.values())]
        kinds = {a.kind for a in args if isinstance(a, Unk)}
        kind = next((k for k in ("logp", "prob", "logits") if k in kinds), "")
        if not taints:
            return Unk(self.fresh_marks())
        facts = union(taints)
        return Unk(facts if fn.last in ELEMENTWISE else self.scattered(facts), kind)

    def fresh_marks(self) -> Taint:
        """A number from outside: it may differ in every iteration of the innermost loop."""
        loops = [loop for loop in self.live if not loop.counted]
        return frozenset({Ix(loops[-1].number, loops[-1].iteration)}) if loops else NONE


_BY_NAME: dict[str, Handler] = {
    "torch.no_grad": Library.no_grad,
    "torch.inference_mode": Library.no_grad,
    "torch.enable_grad": Library.enable_grad,
    "torch.set_grad_enabled": Library.set_grad,
    "mlx.utils.tree_flatten": lambda m, a, k, n: Lst(None, (Unk(parts=(NONE,)), Unk(m.facts_of(a, k)))),
    "golf.loss_and_gradient": Library.loss_and_gradient,
    "torch.autograd.grad": Library.gradient,
    "torch.autograd.backward": Library.run_backward,
    "copy.deepcopy": Library.deep_copy,
    "copy.copy": Library.same,
    "torch.distributed.gather": Library.gathered,
    "torch.distributed.gather_object": Library.gathered,
    "functools.partial": Library.partial,
    "numpy.add.at": Library.table_add,
    "sys.exit": Library.stop,
    "os._exit": Library.stop,
    "collections.defaultdict": Library.default_dict,
    "collections.Counter": Library.counter,
    "collections.OrderedDict": Library.dicted,
    "collections.deque": Library.deque,
    "threading.Thread": Library.thread,
    "types.SimpleNamespace": Library.simple_namespace,
    "argparse.Namespace": Library.simple_namespace,
    "argparse.ArgumentParser": Library.parser,
    "os.getenv": Library.getenv,
    "glob.glob": Library.glob,
    "os.path.join": Library.join_path,
    "pathlib.Path": Library.make_path,
    "os.path.exists": Library.exists,
    "os.path.isfile": Library.exists,
    "torch.load": Library.load_file,
    "torch.save": Library.save_file,
    "pickle.dump": Library.save_file,
    "numpy.save": Library.dump_file,
    "numpy.savez": Library.dump_file,
    "numpy.savez_compressed": Library.dump_file,
    "mlx.core.savez": Library.dump_file,
    "mlx.core.save_safetensors": Library.dump_file,
    "mlx.core.load": Library.load_file,
    "pickle.loads": Library.same,
    "pickle.dumps": Library.same,
    "numpy.load": Library.load_file,
    "safetensors.torch.load_file": Library.load_file,
    "safetensors.torch.save_file": Library.save_file,
    "pickle.load": Library.load_file,
    "safetensors.torch.save": Library.same,
    "safetensors.torch.load": Library.same,
    "numpy.fromfile": Library.tokens_of,
    "numpy.memmap": Library.tokens_of,
    "torch.from_file": Library.tokens_of,
    "io.BytesIO": Library.buffer,
    "io.open": Library.open_file,
    "json.dump": Library.dumped,
    "functools.reduce": Library.reduced,
    "dataclasses.replace": Library.replaced,
    "dataclasses.asdict": Library.same,
    "itertools.chain": lambda m, a, k, n: Lst(None, m.any_element(Lst([m.any_element(x) for x in a]))),
    "golf.same": Library.same,
    "importlib.import_module": BUILTINS["__import__"],
    "os.path.dirname": lambda m, a, k, n: (
        a[0].rpartition("/")[0] or "." if a and isinstance(a[0], str) else Unk(parts=(NONE,))
    ),
    "os.path.basename": lambda m, a, k, n: (
        a[0].rpartition("/")[2] if a and isinstance(a[0], str) else (a[0] if a else Unk())
    ),
    "os.path.abspath": Library.same,
    "os.path.realpath": Library.same,
    "os.path.expanduser": Library.same,
    "os.fspath": Library.same,
    "math.ceil": Library.number_of,
    "math.floor": Library.number_of,
    "logging.info": Library.printed_text,
    "tqdm.tqdm": Library.same,
    "tqdm.auto.tqdm": Library.same,
    "tqdm.trange": Library.range_of,
    "torch.utils.data.DataLoader": Library.same,
    "dataclasses.field": lambda m, a, k, n: k.get("default", Unk()),
}


_BY_LAST: dict[str, Handler] = {
    **dict.fromkeys(FRESH, Library.fresh),
    **dict.fromkeys(_SAME, Library.same),
    **dict.fromkeys(("ThreadPoolExecutor", "ProcessPoolExecutor", "ThreadPool", "Pool"), Library.pool),
    "value_and_grad": Library.with_gradient,
    "randint": Library.random_tokens,
    "where": Library.where_call,
    "stack": Library.stacked,
    "cat": Library.stacked,
    "concatenate": Library.stacked,
    "concat": Library.stacked,
    "hstack": Library.stacked,
    "vstack": Library.stacked,
    "nonzero": Library.positions,
    "argwhere": Library.positions,
    "flatnonzero": Library.positions,
    "searchsorted": Library.positions,
    "bincount": Library.counted_table,
    **dict.fromkeys(("argsort", "randperm", "permutation", "shuffle"), Library.permuted),
    "log1p": Library.log_normaliser,
    "minimum": Library.smallest,
    "min": Library.smallest,
    "amin": Library.smallest,
    "fmin": Library.smallest,
    "maximum": Library.blended,
    "logaddexp": Library.blended,
    "lerp": Library.blended,
    "softmax": Library.softmax,
    "log_softmax": Library.softmax,
    "gather": Library.gather_call,
    "take_along_dim": Library.gather_call,
    "take_along_axis": Library.gather_call,
    "Parameter": lambda m, a, k, n: m._parameter(a, k),
    "all_gather_object": Library.gathered_objects,
    "all_gather": Library.gathered_objects,
    "all_gather_into_tensor": Library.gathered_objects,
    "all_reduce": Library.same_on_ranks,
    "broadcast": Library.same_on_ranks,
    "barrier": Library.same_on_ranks,
    "broadcast_object_list": Library.same_on_ranks,
    "is_tensor": Library.is_tensor,
    "synchronize": Library.same_on_ranks,
    "manual_seed": Library.same_on_ranks,
    "clip_grad_norm_": Library.same_on_ranks,
    "empty_cache": Library.same_on_ranks,
    **dict.fromkeys(
        [
            "zeros_",
            "ones_",
            "normal_",
            "uniform_",
            "xavier_uniform_",
            "xavier_normal_",
            "kaiming_uniform_",
            "kaiming_normal_",
            "orthogonal_",
            "constant_",
            "trunc_normal_",
            "eye_",
        ],
        Library.initialise,
    ),
}
