"""Kernels of the Triton engine built for a GPU that is not there, and their machine code."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from neurosim.backends.gpu.triton.launches import OPTIONS, Launch

HOPPER = GPUTarget("cuda", 90, 32)
_TYPES = {
    torch.float64: "*fp64",
    torch.float32: "*fp32",
    torch.int64: "*i64",
    torch.int32: "*i32",
    torch.uint8: "*u8",
    torch.bool: "*i1",
}


def build(launch: Launch) -> Any:
    """Return the compiled kernel of a launch, for sm_90."""
    names = launch.kernel.arg_names
    values = dict(zip(names, launch.arguments, strict=False)) | dict(launch.constants)
    constant = {p.name for p in launch.kernel.params if p.is_constexpr}
    # When Triton launches a kernel, it compiles whole numbers that are 1 into it.
    constant |= {n for n in names if isinstance(values[n], int) and values[n] == 1}
    signature = {n: "constexpr" if n in constant else _type(values[n]) for n in names}
    constants = {(names.index(n),): values[n] for n in constant}
    source = ASTSource(fn=launch.kernel, signature=signature, constexprs=constants)
    return triton.compile(source, target=HOPPER, options=dict(OPTIONS))


def _type(value: Any) -> str:
    if isinstance(value, torch.Tensor):
        return _TYPES[value.dtype]
    return "i32" if -(2**31) <= value < 2**31 else "i64"


def machine_code(cubin: bytes, folder: Path) -> str:
    """Return the machine code of a built kernel."""
    path = folder / "kernel.cubin"
    path.write_bytes(cubin)
    tool = Path(triton.__file__).parent / "backends" / "nvidia" / "bin" / "cuobjdump"
    return subprocess.run([tool, "-sass", path], check=True, capture_output=True, text=True).stdout
