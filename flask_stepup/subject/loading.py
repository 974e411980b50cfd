"""What tells who is asking, and what counts as its word."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any
from typing import Protocol
from typing import runtime_checkable
from typing import TypeVar

from ..errors import ConfigurationError
from .subject import Subject

#: What a subject loader may return; None is nobody.
Loaded = Subject | str | int | None
SubjectLoader = Callable[[], Loaded]


@runtime_checkable
class RemembersExpired(Protocol):
    """A subject loader whose proof of who is asking expires while a prompt is open."""

    def expired_subject(self, max_age: float) -> Subject | None:
        """Return whom an expired proof names, none older than ``max_age`` seconds.

        Such a subject has no factor ages: only who it was is believed.
        """
        ...

    def named_subjects(self, max_age: float) -> list[Subject]:
        """Return all whom authentic proofs in the request name, expired ones too."""
        ...


F = TypeVar("F", bound=Callable[..., Any])


def checked_loader(loader: F) -> F:
    """Return the callable.

    :raises ConfigurationError: it is none that can be called at each request.
    """
    if isinstance(loader, type):
        raise ConfigurationError(
            f"subject_loader is the class {loader.__name__}: make one of it, as in "
            f"{loader.__name__}()"
        )
    if not callable(loader) or iscoroutinefunction(loader):
        raise ConfigurationError(
            "subject_loader must be a plain function, which returns a Subject, a user "
            "id, or None for nobody"
        )
    return loader


def load_subject(loader: SubjectLoader) -> Subject | None:
    """Return who is asking, None for nobody.

    :raises ConfigurationError: the callable returned something that names nobody.
    """
    loaded = loader()
    # To a cache 1 and True are the same, and only one of them is an id.
    if type(loaded) is str:
        return _named(loaded)
    if loaded is None or isinstance(loaded, Subject):
        return loaded
    return Subject(loaded)


_named = lru_cache(1_024)(Subject)
