"""Changing an object that others may be using: in private first, and then all at once."""

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

_Thing = TypeVar("_Thing")

_ABSENT = object()


class _Change:
    """One change of a thing in progress, by a thread."""

    def __init__(self, thing: object, token: object) -> None:
        self.thread = threading.get_ident()
        self.thing = weakref.ref(thing)
        self._token = weakref.ref(token)

    def is_of(self, thing: object) -> bool:
        """Whether it changes the thing, and goes on.

        Where Ctrl-C has met the few steps in which an entry is made or taken away, it stays, but
        the token is gone, which only the call itself keeps.
        """
        return self.thing() is thing and self._token() is not None


class _Token:
    pass


# The changes in progress, by the id of their thing: not in the things themselves, which are pickled
# and copied. The lock is held while an entry is made.
_changing: dict[int, _Change] = {}
_lock = threading.Lock()


def _forget_training(thing: Any) -> None:
    """Drop the thing's trainer, where it is of a kind that keeps one."""
    if hasattr(thing, "_forget_training"):
        thing._forget_training()


def _go_on_in_child() -> None:
    """After a fork: nobody is at work any more but the thread that forked.

    What another one was training is half way between two states, and nobody will finish it.
    """
    global _lock
    _lock = threading.Lock()
    for change in _changing.values():
        if change.thread != threading.get_ident():
            _forget_training(change.thing())
    _changing.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_go_on_in_child)


@contextmanager
def changing(thing: _Thing) -> Iterator[tuple[_Thing, Callable[[], None]]]:
    """Yield a copy to be changed, and what gives its attributes to `thing`, all at once.

    Until that is called, and after an error in the block, everybody sees the thing as it was. What
    others set meanwhile stays. A trainer that an error has left with other weights than those of
    the thing is forgotten.

    Raises
    ------
    RuntimeError
        If it is being changed already.
    """
    token = _Token()
    mine = _Change(thing, token)
    whole, steps = vars(thing), 0
    try:
        _enter(thing, mine)
        whole, steps = vars(thing), _steps_of(thing)
        before = dict(whole)
        copy = as_it_is(thing, before)

        def publish() -> None:
            after, now = vars(copy), dict(vars(thing))
            for name in before.keys() - after.keys():
                now.pop(name, None)
            for name, value in after.items():
                if before.get(name, _ABSENT) is not value:
                    now[name] = value
            thing.__dict__ = now

        yield copy, publish
    except BaseException:
        if _changing.get(id(thing)) is mine:
            if vars(thing) is not whole:
                thing.__dict__ = whole
            if _steps_of(thing) != steps:
                _forget_training(thing)
        raise
    finally:
        if _changing.get(id(thing)) is mine:
            del _changing[id(thing)]


def _enter(thing: object, mine: _Change) -> None:
    """Note a change; refuse it where another one is in progress."""
    with _lock:
        there = _changing.get(id(thing))
        if there is None or not there.is_of(thing):
            _changing[id(thing)] = mine
            return
    _refuse(thing, "train")


def _steps_of(thing: object) -> int:
    model: Any = vars(thing).get("_model")
    return 0 if model is None or model.trainer is None else int(model.trainer.steps)


def as_it_is(thing: _Thing, attributes: Mapping[str, Any] | None = None) -> _Thing:
    """Return an object of the same class that keeps the attributes of now.

    Those of the thing itself may be others in the next moment, when a call in another thread ends
    that has been changing it. Given attributes are copied.
    """
    view: _Thing = object.__new__(type(thing))
    view.__dict__ = vars(thing) if attributes is None else dict(attributes)
    return view


@contextmanager
def unchanged(thing: object, action: str) -> Iterator[None]:
    """Refuse what takes a thing for a whole while another thread is changing it, or has just done.

    Raises
    ------
    RuntimeError
        If one is, at the beginning or at the end, or was in between.
    """
    whole = vars(thing)
    _refuse_others(thing, action)
    yield
    _refuse_others(thing, action)
    if vars(thing) is not whole:
        _refuse(thing, action)


def _refuse_others(thing: object, action: str) -> None:
    change = _changing.get(id(thing))
    if change and change.is_of(thing) and change.thread != threading.get_ident():
        _refuse(thing, action)


def _refuse(thing: object, action: str) -> None:
    name = type(thing).__name__
    raise RuntimeError(
        f"Can't {action} this {name} now: it is training already, in another call that has not "
        f"returned. Wait for that, or take a copy for each: one {name} trains once at a time."
    )
