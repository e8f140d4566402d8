"""Names and source places of receivers, without calling any of their code.

A receiver can be a function, a bound method, a partial or any callable. What is told of it comes from the function
behind it; it is found once for each function, which is held weakly.
"""

import functools
import os
import weakref
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from livesignals.snapshot.types import class_dict_of, joined_name, mro_of, shape_of

Named = tuple[str, str | None, bool]  # dotted name, "file:line", whether it is async

#: By id of the function; an entry goes when its function does.
known_receivers: dict[int, tuple[Named, "weakref.ref[Any]"]] = {}


def receiver_name(receiver: Any) -> Named:
    """Dotted name, place and whether it is async."""
    function = receiver
    if type(function) is MethodType:
        function = function.__func__
    known = known_receivers.get(id(function))
    if known is not None:
        return known[0]
    key, forget = id(function), known_receivers.pop  # which the module has no more when Python ends
    named = _find(receiver)
    try:
        reference = weakref.ref(function, lambda _: forget(key, None))
    except TypeError:
        return named
    known_receivers[key] = (named, reference)
    return named


def _find(receiver: Any) -> Named:
    for _ in range(8):
        cls = type(receiver)
        if cls is FunctionType:
            return _of_function(receiver)
        if cls is MethodType:
            receiver = receiver.__func__
        elif issubclass(cls, functools.partial):
            receiver = functools.partial.func.__get__(receiver)
        elif cls is BuiltinFunctionType:
            return joined_name(receiver.__module__, receiver.__qualname__), None, False
        else:
            return _of_object(receiver, cls)
    return shape_of(type(receiver)).name, None, False


def _of_function(function: FunctionType) -> Named:
    inner = function
    for _ in range(16):
        # dict.get: a function's __dict__ can be a subclass of dict.
        wrapped = dict.get(inner.__dict__, "__wrapped__")
        if type(wrapped) is not FunctionType:
            break
        inner = wrapped
    code = inner.__code__
    is_marked = dict.__contains__(function.__dict__, "_is_coroutine_mark")
    is_async = bool(function.__code__.co_flags & 0x80) or is_marked
    return (
        joined_name(function.__module__, function.__qualname__),
        f"{short_path(code.co_filename)}:{code.co_firstlineno}",
        is_async,
    )


def _of_object(receiver: Any, cls: type) -> Named:
    """An object with ``__call__``: its class, and where that method is."""
    for base in mro_of(cls):
        call = class_dict_of(base).get("__call__")
        if type(call) is FunctionType:
            _, place, is_async = _of_function(call)
            return shape_of(cls).name, place, is_async
    return shape_of(cls).name, None, False


@functools.lru_cache(maxsize=4_096)
def short_path(filename: str) -> str:
    """The path as a person of the project would write it: from the project's root, or from the package's folder."""
    try:
        root = os.path.join(os.getcwd(), "")
    except OSError:  # the folder is gone
        root = filename
    if filename.startswith(root) and filename != root:
        return filename[len(root) :]
    for marker in ("site-packages" + os.sep, "dist-packages" + os.sep):
        _, found, rest = filename.rpartition(marker)
        if found:
            return rest
    parts = filename.split(os.sep)
    return os.sep.join(parts[-3:])
