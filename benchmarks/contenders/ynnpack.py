"""Hold JAX's matrix products to AVX2, as an XLA flag holds the rest of it.

`--xla_cpu_max_isa` limits the code that XLA generates. Products come from YNNPACK, inside jaxlib,
which asks the processor what it can and has no setting for it. What it learnt it keeps in one word,
a bit for each extension (ynnpack/base/arch.h): with the bits above AVX2 and FMA cleared, it takes
the kernels that it takes on a processor without AVX-512 (`dot_fp32_6x16x1_1x8x1_fma3` in a profile,
where it was `dot_fp32_5x64x1_1x16x1_avx512`).
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

from contenders import UnsupportedError

_ASK = "_ZN3ynn24get_supported_arch_flagsEv"
_WORD = "_ZZN3ynn24get_supported_arch_flagsEvE5flags"
_UP_TO_FMA = 0x7F  # SSE2, SSSE3, SSE4.1, AVX, F16C, AVX2, FMA


def is_wanted() -> bool:
    """Whether `XLA_FLAGS` ask for code without AVX-512."""
    return "--xla_cpu_max_isa=AVX2" in os.environ.get("XLA_FLAGS", "")


def hold_to_avx2() -> None:
    """Clear the bits of AVX-512 and AMX. To be called once JAX is imported.

    Raises
    ------
    UnsupportedError
        If there is no such word in this jaxlib, no `nm` to find it, or the word is filled again.
    """
    base, library = _mapped("libjax_common.so")
    symbols = _symbols(library)
    if base is None or not {_ASK, _WORD} <= symbols.keys():
        raise UnsupportedError("without nm, or in this jaxlib, products cannot be held to AVX2")
    ask = ctypes.CFUNCTYPE(ctypes.c_uint64)(base + symbols[_ASK])
    ask()  # or the first product would ask the processor, and fill the word again
    ctypes.c_uint64.from_address(base + symbols[_WORD]).value &= _UP_TO_FMA
    if ask() & ~_UP_TO_FMA:
        raise UnsupportedError("YNNPACK fills in again what was cleared of AVX-512")


def _mapped(name: str) -> tuple[int | None, str]:
    """Where a shared library of that name begins in memory, and its path."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        if line.endswith(name):
            span, _, offset, _, _, path = line.split(maxsplit=5)
            return int(span.partition("-")[0], 16) - int(offset, 16), path
    return None, ""


def _symbols(library: str) -> dict[str, int]:
    """Addresses in a shared library by name; none where there is no `nm`, or no such library."""
    command = ["nm", "--defined-only", library]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return {}
    fields = (line.split() for line in listed.splitlines() if "get_supported_arch_flags" in line)
    return {name: int(address, 16) for address, _, name in fields}
