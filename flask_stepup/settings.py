"""``STEPUP_*``, read once per app into a frozen value."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from flask import Flask

from .clerk import API_URL
from .clerk import ClerkBackendAPI
from .demand import preset
from .errors import ConfigurationError
from .ledger import Limit
from .policy import Policy

PREFIX = "STEPUP_"

#: A scheme and an authority. Extensions of browsers have origins too.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[!-.0-~]+")


def _setting(default: Any, read: Callable[[str, Any], Any], **kwargs: Any) -> Any:
    return field(default=default, metadata={"read": read}, **kwargs)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name}={value!r} must be text")
    return value


def _secret(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be text, and not empty")
    return value


def _address(name: str, value: Any) -> str:
    text = _text(name, value)
    if not re.fullmatch(r"(/(?![/\\])|https?://)[!-~]*", text) or "#" in text:
        raise ConfigurationError(
            f"{name}={value!r} must be a path such as '/login', or an http(s) URL, "
            "without a fragment"
        )
    return text


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ConfigurationError(f"{name}={value!r} must be True or False")
    return value


def _origins(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):  # as it comes from the environment
        value = re.split(r"[\s,]+", value.strip())
    origins = value if isinstance(value, list | tuple | set | frozenset) else [None]
    if not all(isinstance(item, str) and _ORIGIN.fullmatch(item) for item in origins):
        raise ConfigurationError(
            f"{name}={value!r} must be a list of origins, with no slash at their end, "
            "such as ['https://app.example.com']"
        )
    return tuple(origins)


def _number(least: float, most: float, unit: type) -> Callable[[str, Any], Any]:
    def read(name: str, value: Any) -> Any:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not least <= value <= most or unit(value) != value:
            raise ConfigurationError(
                f"{name}={value!r} must be {'whole ' if unit is int else ''}seconds "
                f"between {least:g} and {most:g}"
            )
        return unit(value)

    return read


def _preset(name: str, value: Any) -> Policy:
    try:
        return preset(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _limits(name: str, value: Any) -> tuple[Limit, ...]:
    try:
        return Limit.parse(_text(name, value))
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _prefix(name: str, value: Any) -> str:
    text = _text(name, value)
    if not re.fullmatch(r"(/[A-Za-z0-9_~-]+)+", text):
        raise ConfigurationError(f"{name}={value!r} must look like '/stepup'")
    return text


@dataclass(frozen=True, slots=True)
class Settings:
    """One field per key; see the table in the README."""

    preset: Policy = _setting("strict", _preset)
    clerk_secret_key: str | None = _setting(None, _secret, repr=False)
    clerk_api_url: str = _setting(API_URL, _text)
    clerk_timeout: float = _setting(5.0, _number(0.05, 60, float))
    clerk_jwt_key: str | None = _setting(None, _secret, repr=False)
    clerk_authorized_parties: tuple[str, ...] = _setting((), _origins)
    factor_downgrade: bool = _setting(False, _flag)
    storage_uri: str = _setting("sqlite:///stepup.db", _secret, repr=False)
    storage_timeout: float = _setting(1.0, _number(0.05, 60, float))
    attempt_limit: tuple[Limit, ...] = _setting(
        "5 per 5 minutes; 100 per 30 days", _limits
    )
    clock_leeway: int = _setting(10, _number(0, 300, int))
    challenge_max_age: int = _setting(900, _number(30, 86_400, int))
    url_prefix: str = _setting("/stepup", _prefix)
    login_url: str | None = _setting(None, _address)
    enroll_url: str | None = _setting(None, _address)
    allow_impersonation: bool = _setting(False, _flag)

    @classmethod
    def read(cls, app: Flask) -> Settings:
        """Read the app's configuration.

        :raises ConfigurationError: a key is unknown, or its value cannot work.
        """
        _check_names(app.config, [PREFIX + f.name.upper() for f in fields(cls)])
        values: dict[str, Any] = {}
        for setting in fields(cls):
            name = PREFIX + setting.name.upper()
            value = app.config.get(name)
            if value is None:
                value = _from_environment(setting.name) or setting.default
            read = setting.metadata["read"]
            values[setting.name] = None if value is None else read(name, value)
        return cls(**values)

    def backend_api(self) -> ClerkBackendAPI | None:
        """Return Clerk's backend API, where there is a key for it.

        :raises ConfigurationError: key or URL cannot work.
        """
        if self.clerk_secret_key is None:
            return None
        return ClerkBackendAPI(
            self.clerk_secret_key,
            base_url=self.clerk_api_url,
            timeout=self.clerk_timeout,
        )


def signing_keys(app: Flask) -> list[str | bytes]:
    """Return ``SECRET_KEY_FALLBACKS`` and ``SECRET_KEY``, oldest first.

    :raises ConfigurationError: there is no ``SECRET_KEY``.
    """
    if not app.secret_key:
        raise ConfigurationError(
            "SECRET_KEY is not set: markers cannot be signed without one. Set it to "
            "the output of: python -c 'import secrets; print(secrets.token_hex())'"
        )
    fallbacks = app.config.get("SECRET_KEY_FALLBACKS") or []
    keys = [*fallbacks, app.secret_key] if isinstance(fallbacks, list | tuple) else []
    if not keys or not all(key and isinstance(key, str | bytes) for key in keys):
        raise ConfigurationError(
            "SECRET_KEY must be text or bytes, and SECRET_KEY_FALLBACKS a list of such"
        )
    return keys


def _from_environment(name: str) -> str | None:
    is_key = name in ("clerk_secret_key", "clerk_jwt_key")
    return os.environ.get(name.upper()) if is_key else None


def _check_names(config: Mapping[str, Any], known: list[str]) -> None:
    for name in config:
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0)
            raise ConfigurationError(f"{name} is no setting; did you mean {near[0]}?")
