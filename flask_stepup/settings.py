"""``STEPUP_*``, read once per app into a frozen value."""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from dataclasses import fields
from difflib import get_close_matches
from typing import Any
from typing import TYPE_CHECKING

from flask import Flask

from .demand import preset
from .errors import ConfigurationError
from .ledger import Limit
from .policy import Policy
from .secret_fields import is_secret_name
from .secret_fields import SECRET_FIELDS
from .setting_values import address
from .setting_values import contact
from .setting_values import field_names
from .setting_values import flag
from .setting_values import mount_point
from .setting_values import number
from .setting_values import origins
from .setting_values import secret
from .setting_values import text

if TYPE_CHECKING:
    from .clerk import ClerkBackendAPI

PREFIX = "STEPUP_"
#: As ``ClerkBackendAPI`` has it. That is loaded where there is a key for it: with httpx
#: it would be half of what the package loads.
API_URL = "https://api.clerk.com/v1"


def _setting(default: Any, read: Callable[[str, Any], Any], **kwargs: Any) -> Any:
    return field(default=default, metadata={"read": read}, **kwargs)


def _preset(name: str, value: Any) -> Policy:
    try:
        return preset(value)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _limits(name: str, value: Any) -> tuple[Limit, ...]:
    try:
        return Limit.parse(text(name, value))
    except ConfigurationError as error:
        raise ConfigurationError(f"{name}: {error}") from None


@dataclass(frozen=True, slots=True)
class Settings:
    """One field per key; see the table in the README."""

    preset: Policy = _setting("strict", _preset)
    clerk_secret_key: str | None = _setting(None, secret, repr=False)
    clerk_api_url: str = _setting(API_URL, text)
    clerk_timeout: float = _setting(5.0, number(0.05, 60, float))
    clerk_jwt_key: str | None = _setting(None, secret, repr=False)
    clerk_authorized_parties: tuple[str, ...] = _setting((), origins)
    factor_downgrade: bool = _setting(False, flag)
    storage_uri: str = _setting("sqlite:///stepup.db", secret, repr=False)
    storage_timeout: float = _setting(1.0, number(0.05, 60, float))
    attempt_limit: tuple[Limit, ...] = _setting(
        "5 per 5 minutes; 100 per 30 days", _limits
    )
    clock_leeway: int = _setting(10, number(0, 300, int))
    challenge_max_age: int = _setting(900, number(30, 86_400, int))
    resume_max_bytes: int = _setting(65_536, number(0, 1_048_576, int, "bytes"))
    secret_fields: tuple[str, ...] = _setting(SECRET_FIELDS, field_names)
    url_prefix: str = _setting("/stepup", mount_point)
    login_url: str | None = _setting(None, address)
    enroll_url: str | None = _setting(None, address)
    allow_impersonation: bool = _setting(False, flag)
    app_name: str | None = _setting(None, text)
    logo_url: str | None = _setting(None, address)
    support_url: str | None = _setting(None, contact)
    base_template: str | None = _setting(None, text)

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

    def is_secret(self, field_name: str) -> bool:
        """Whether the value of a form field is never shown or carried."""
        return is_secret_name(self.secret_fields, field_name)

    def backend_api(self) -> ClerkBackendAPI | None:
        """Return Clerk's backend API, where there is a key for it.

        :raises ConfigurationError: key or URL cannot work.
        """
        if self.clerk_secret_key is None:
            return None
        from .clerk import ClerkBackendAPI

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
