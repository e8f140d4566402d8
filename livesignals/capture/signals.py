"""What is known of each signal and of the files sends come from. Found out once, on the project's thread."""

import os
import sys
import sysconfig
import weakref
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from livesignals.capture import scope
from livesignals.capture.sampling import one_in
from livesignals.catalogue.builtin import BUILTIN
from livesignals.snapshot.types import class_dict_of, dict_descriptor, mro_of, shape_of

SEND_METHODS = ("send", "asend", "send_robust", "asend_robust")
#: Sent for every row that is read: recorded only when SIGNALS names them, or COUNT or SAMPLE.
OFF_BY_DEFAULT = frozenset({"django.db.models.signals.pre_init", "django.db.models.signals.post_init"})


class SignalState(Struct, eq=False):
    """One signal of the process."""

    name: str  # dotted
    family: str
    is_on: bool
    overrides: bool  # its class has a send method of its own
    reference: Any
    on_begin: Callable[[dict[str, Any]], "scope.CauseScope | None"] | None = None
    on_end: Callable[[], None] | None = None
    look_up: Callable[[dict[str, Any], dict[str, Any]], Any] | None = None  # what its instance held before
    keeps: int | None = None  # sends a second of one sender that are kept, the others are counted; None: all are kept
    is_chosen: Callable[[], bool] | None = None  # whether a send is the one that is kept of so many; None: each is
    is_always_kept: bool = False  # inside a send that is left out too


#: By id of the signal; an entry goes when its signal does, before the id can be used again.
states: dict[int, SignalState] = {}
#: ids of the code objects that have the recording woven in
woven_codes: set[int] = set()
#: Signals that begin or end what sends run inside: what to do before such a send is recorded, and after it.
CAUSES: dict[str, tuple[Any, Any]] = {}
#: Signals of which is told what their instance held before, and how it is looked up: from arguments and their snapshot.
BEFORE: dict[str, Callable[[dict[str, Any], dict[str, Any]], Any]] = {}
_patterns: list[str] = []
_counted: list[str] = []
_flood: dict[str, int] = {}
_samples: dict[str, int] = {}
_first_sends: dict[str, Callable[[], None]] = {}
_any_first_send: list[Callable[[], None]] = []


def configure(
    patterns: list[str],
    counted: Sequence[str] = (),
    flood: int | dict[str, int] | None = None,
    samples: dict[str, int] | None = None,
) -> None:
    """Which signals are recorded: globs in order, the last that matches counts, "-" in front leaves out.

    Without one that takes in, all are taken in but :data:`OFF_BY_DEFAULT`. Those that *counted* matches, globs
    likewise, are counted instead of kept, and so is what comes after *flood* sends of a signal and sender in a second,
    of all signals or by glob. Of those that a glob in *samples* matches one in so many is kept.
    """
    global _flood, _samples
    _patterns[:], _counted[:] = patterns, counted
    _flood = {"*": flood} if isinstance(flood, int) else flood or {}
    _samples = samples or {}
    for state in states.values():
        state.is_on, state.keeps = is_recorded(state.name), kept_a_second(state.name)
        _sample(state)


def choose_anew() -> None:
    """In the child of a fork: its sends are sampled apart from its parent's and those of other children."""
    for state in states.values():
        _sample(state)


def _sample(state: SignalState) -> None:
    n = _last_number(_samples, state.name)
    state.is_chosen, state.is_always_kept = one_in(n) if n is not None and n > 1 else None, n == 1


def is_recorded(name: str) -> bool:
    """Whether a signal of this dotted name is to be recorded, if only in counts."""
    said = _last_match(_patterns, name)
    if said is not None:
        return said
    if name in OFF_BY_DEFAULT:
        return bool(_last_match([*_samples, *_counted], name))
    return all(pattern.startswith("-") for pattern in _patterns)


def kept_a_second(name: str) -> int | None:
    """How many sends a second of one sender are to be kept of a signal; None: all."""
    return 0 if _last_match(_counted, name) else _last_number(_flood, name)


def _last_number(numbers: dict[str, int], name: str) -> int | None:
    """What stands at the last glob that matches; None without one."""
    return next((numbers[glob] for glob in reversed(numbers) if _matches(glob, name)), None)


def _last_match(patterns: list[str], name: str) -> bool | None:
    """What the last glob that matches says: take in, or leave out; None without one."""
    said = None
    for pattern in patterns:
        if pattern == "*" and name in OFF_BY_DEFAULT:
            continue  # it does not name them
        if _matches(pattern.removeprefix("-"), name):
            said = not pattern.startswith("-")
    return said


def _matches(glob: str, name: str) -> bool:
    return fnmatchcase(name, glob) or fnmatchcase(name.rpartition(".")[2], glob)


def on_first_send(name: str, act: Callable[[], None]) -> None:
    """Call *act* when a signal of this dotted name is sent for the first time, recorded or not."""
    _first_sends[name] = act
    if any(state.name == name for state in states.values()):
        act()


def on_any_first_send(act: Callable[[], None]) -> None:
    """Call *act* now, and whenever a signal is sent for the first time."""
    _any_first_send.append(act)
    act()


def forget_states() -> None:
    """Every signal is sent for the first time again."""
    states.clear()
    _first_sends.clear()
    _any_first_send.clear()


def register(signal: Any) -> SignalState:
    """The state of a signal that is sent for the first time."""
    from django.dispatch import Signal

    name = signal_name(signal)
    if name in _first_sends:
        _first_sends[name]()
    for act in _any_first_send:
        act()
    builtin = BUILTIN.get(name)
    bases = [class_dict_of(base) for base in mro_of(type(signal)) if base is not Signal]
    key, forget = id(signal), states.pop  # which the module has no more when Python ends
    state = SignalState(
        name,
        builtin.family if builtin else "custom",
        is_recorded(name),
        any(method in base for base in bases for method in SEND_METHODS),
        weakref.ref(signal, lambda _: forget(key, None)),
        *CAUSES.get(name, (None, None)),
        BEFORE.get(name),
        kept_a_second(name),
    )
    _sample(state)
    states[key] = state
    return state


def signal_name(signal: Any) -> str:
    """The dotted name under which a module holds *signal*: the shortest module that looks like its home."""
    for name in BUILTIN:
        module, _, attribute = name.rpartition(".")
        if getattr(sys.modules.get(module), attribute, None) is signal:
            return name
    names = sorted(_names_of(signal), key=lambda name: ("signals" not in name.split("."), name.count("."), len(name)))
    return names[0] if names else f"{type_name(type(signal))} without a name"


def _names_of(signal: Any) -> Iterator[str]:
    for module_name, module in list(sys.modules.items()):
        # What stands there can be any object of the project's, with a __getattr__ that imports.
        descriptor = dict_descriptor(type(module))
        attributes = descriptor.__get__(module) if descriptor is not None else None
        if type(attributes) is dict:
            for attribute, value in list(attributes.items()):
                if value is signal:
                    yield f"{module_name}.{attribute}"


def sender_name(sender: Any) -> str:
    """A class's dotted name, a model's label; for other objects that of their class."""
    if sender is None:
        return "None"
    cls = type(sender)
    if issubclass(cls, type):
        return shape_of(sender).label
    if issubclass(cls, str):
        return str.__getitem__(sender, slice(0, 200))
    return shape_of(cls).label


def type_name(cls: type) -> str:
    """The dotted name of a class."""
    return shape_of(cls).name


def is_project_file(filename: str) -> bool:
    """Whether a source file is the project's own: not Python's, not an installed package's, not ours."""
    if filename.startswith("<"):
        return filename in ("<stdin>", "<console>", "<string>") or filename.startswith("<ipython")
    return not os.path.abspath(filename).startswith(_library_folders())


def _library_folders() -> tuple[str, ...]:
    import django

    paths = sysconfig.get_paths()
    folders = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    folders.add(os.path.dirname(django.__file__))
    folders.add(os.path.dirname(os.path.dirname(__file__)))
    return tuple(folder + os.sep for folder in folders)
