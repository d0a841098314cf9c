"""Kernels' machine code from the cache, without waking the compiler.

At each start Numba compiles a runtime of its own, and with the machine code of each cached kernel it parses the LLVM
bitcode that is kept beside it. Only what compiles a kernel that calls these has a use for either. Here both wait until
somebody compiles; a start with warm caches saves 0.1 s and 40 MB, more than half of it the pages of LLVM itself.
"""

import re
from importlib import import_module
from typing import Any

import llvmlite.binding as llvm
from numba.core.codegen import JITCodeLibrary, JITCPUCodegen

_OBJECT = "object"
_OWN_NAMES = re.compile(rb"_ZN[!-~]+")
"""As Numba mangles them; what it calls so in an object file is always defined there."""


class CachedLibrary(JITCodeLibrary):
    """A kernel's compiled code; its bitcode is parsed when another kernel is compiled that calls it."""

    _bitcode = b""

    @classmethod
    def _unserialize(cls, codegen: Any, state: tuple[str, str, Any]) -> Any:
        name, kind, data = state
        if kind != _OBJECT:
            return super()._unserialize(codegen, state)  # type: ignore[no-untyped-call]
        library = codegen.create_library(name)
        machine_code, library._bitcode = data
        library.enable_object_caching()
        library._set_compiled_object(machine_code)
        library._finalize_final_module()
        # Numba asks before it looks a function up, because LLVM ends the process when it does not find one.
        codegen._engine._defined_symbols |= {found.decode() for found in _OWN_NAMES.findall(machine_code)}
        return library

    def _get_module_for_linking(self) -> Any:
        if self._shared_module is None and self._bitcode:
            self._shared_module = llvm.parse_bitcode(self._bitcode)
        return super()._get_module_for_linking()  # type: ignore[no-untyped-call]


class LaterLibrary:
    """Numba's runtime, compiled when something of it is asked for: by whoever compiles, who holds the lock for it."""

    def __init__(self, context: Any) -> None:
        self._context = context

    def __getattr__(self, name: str) -> Any:
        if "_library" not in vars(self):
            self._library = _compile_runtime(self._context)
        return getattr(self._library, name)


_RUNTIME: Any = import_module("numba.core.runtime.nrtdynmod")
_compile_runtime = _RUNTIME.compile_nrt_functions


def spare_compiler() -> None:
    """From now on, for all of Numba in this process."""
    JITCPUCodegen._library_class = CachedLibrary
    _RUNTIME.compile_nrt_functions = LaterLibrary
