"""Write arrays past the caches: non-temporal stores, which spare memory the reading of what is only overwritten.

Import this module only from modules that need a compiler: importing it imports numba.

A generated kernel computes rows into a small buffer that stays in cache, in which a cache line of the target is a line
of the buffer, and sends the lines that are whole, so that no line is written in part but the first and the last of all.
On processors other than x86 the same functions store as usual.

Trap: other threads may see these stores late, until :func:`finish` was called.
Trap: whatever locks memory, such as a reference count of numba's, waits until these stores have reached it.
Trap: the processor waits for a line that is read back as one when it was written in other parts shortly before.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from roofcube.kernels.compilation import jit

__all__ = ["IS_X86", "LINE_BYTES", "copy_items", "copy_lines", "fence", "finish", "items_to_line", "line_items"]

LINE_BYTES = 64
LINE = ir.VectorType(ir.IntType(8), LINE_BYTES)  # LLVM splits it where registers are shorter
IS_X86 = binding.get_process_triple().startswith(("x86_64", "amd64", "i386", "i486", "i586", "i686"))


def _is_flat(kind: Any) -> bool:
    return isinstance(kind, types.Array) and kind.ndim == 1 and kind.layout == "C"


def _width(context: Any, kind: Any) -> int:
    return int(context.get_abi_sizeof(context.get_data_type(kind.dtype)))


def _address(context: Any, builder: Any, kind: Any, array: Any, item: Any) -> Any:
    """Give the address of an item, as a pointer to bytes."""
    start = builder.bitcast(context.make_array(kind)(context, builder, array).data, cgutils.voidptr_t)
    return builder.gep(start, [builder.mul(item, item.type(_width(context, kind)))])


@intrinsic  # type: ignore[untyped-decorator]
def line_items(typing_context: Any, array: Any) -> Any:  # noqa: ARG001
    """Count the items of a line, a constant to the compiler (which ``array.itemsize`` is not)."""
    if not _is_flat(array):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        return context.get_constant(types.intp, LINE_BYTES // _width(context, signature.args[0]))

    return types.intp(array), generate


@intrinsic  # type: ignore[untyped-decorator]
def items_to_line(typing_context: Any, array: Any, item: Any) -> Any:  # noqa: ARG001
    """Count the items from an item to the next start of a line; lines must start where items do."""
    if not _is_flat(array):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        size = arguments[1].type
        address = builder.ptrtoint(_address(context, builder, kind, *arguments), size)
        return builder.udiv(builder.and_(builder.neg(address), size(LINE_BYTES - 1)), size(_width(context, kind)))

    return types.intp(array, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def copy_lines(typing_context: Any, target: Any, to: Any, source: Any, start: Any, lines: Any) -> Any:  # noqa: ARG001
    """Copy so many lines past the caches; the first item in the target must start a line."""
    if not (_is_flat(target) and _is_flat(source) and target.dtype == source.dtype):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target_array, target_item, source_array, source_item, count = arguments
        into = _address(context, builder, signature.args[0], target_array, target_item)
        out_of = _address(context, builder, signature.args[2], source_array, source_item)
        with cgutils.for_range(builder, count) as loop:
            offset = builder.mul(loop.index, loop.index.type(LINE_BYTES))
            read, written = (builder.bitcast(builder.gep(one, [offset]), LINE.as_pointer()) for one in (out_of, into))
            store = builder.store(builder.load(read, align=1), written, align=LINE_BYTES)
            if IS_X86:
                store.set_metadata("nontemporal", builder.module.add_metadata([ir.IntType(32)(1)]))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def copy_items(typing_context: Any, target: Any, to: Any, source: Any, start: Any, count: Any) -> Any:  # noqa: ARG001
    """Copy so many items in the ordinary way; they must not overlap."""
    if not (_is_flat(target) and _is_flat(source) and target.dtype == source.dtype):
        return None

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target_array, target_item, source_array, source_item, items = arguments
        into = _address(context, builder, signature.args[0], target_array, target_item)
        out_of = _address(context, builder, signature.args[2], source_array, source_item)
        cgutils.raw_memcpy(builder, into, out_of, items, _width(context, signature.args[0]))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator]
def fence(typing_context: Any) -> Any:  # noqa: ARG001
    """Let all stores so far be seen before any later one."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ARG001
        if IS_X86:
            kind = ir.FunctionType(ir.VoidType(), [])
            builder.call(cgutils.get_or_insert_function(builder.module, kind, "llvm.x86.sse.sfence"), [])
        return context.get_dummy_value()

    return types.void(), generate


@jit
def finish(target: Any, base: Any, buffer: Any, sent: Any, stop: Any, skip: Any) -> None:
    """Write all of a buffer before item `stop` that was not yet written, and let every earlier store be seen.

    Parameters
    ----------
    target, base
        The buffer's first item belongs at ``target[base]``, which starts a line.
    sent, stop
        How many lines were written, and how many items the buffer holds.
    skip
        How many of the buffer's first items are not ours to write.
    """
    first = skip if skip > 0 else sent * line_items(target)
    copy_items(target, base + first, buffer, first, stop - first)
    fence()
