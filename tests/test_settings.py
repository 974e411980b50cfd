"""``STEPUP_*``: defaults, what each key refuses, and where values come from."""

from __future__ import annotations

import dataclasses
import math
import random
from fnmatch import fnmatchcase
from typing import Any

import pytest
from flask import Flask
from naming import repr_of

from flask_stepup.clerk import API_URL
from flask_stepup.demand import PRESETS
from flask_stepup.errors import ConfigurationError
from flask_stepup.ledger import Limit
from flask_stepup.secret_fields import is_secret_name
from flask_stepup.secret_fields import SECRET_FIELDS
from flask_stepup.settings import Settings
from flask_stepup.settings import signing_keys
from flask_stepup.signing import Signer

NO_TEXT: tuple[Any, ...] = (5, True, b"text", [], ["text"], {})
NO_NUMBER: tuple[Any, ...] = (
    "5", "", True, False, math.nan, math.inf, -math.inf, [5], b"5", 5j, 10**400,
)  # fmt: skip

#: Key, default as it is read, good values with what is read, and bad values.
TABLE: dict[str, tuple[Any, dict[Any, Any], tuple[Any, ...]]] = {
    "STEPUP_PRESET": (
        PRESETS["strict"],
        dict(PRESETS),
        (*NO_TEXT, "", "strickt", "STRICT"),
    ),
    "STEPUP_CLERK_SECRET_KEY": (None, {"sk_test_x": "sk_test_x"}, NO_TEXT),
    "STEPUP_CLERK_API_URL": (
        API_URL,
        {"http://127.0.0.1:9/v1": "http://127.0.0.1:9/v1"},
        (*NO_TEXT, ""),
    ),
    "STEPUP_CLERK_TIMEOUT": (
        5.0,
        {1: 1.0, 0.05: 0.05, 60: 60.0, 2.5: 2.5},
        (*NO_NUMBER, 0, -1, 0.04, 60.1),
    ),
    "STEPUP_CLERK_JWT_KEY": (None, {"-----BEGIN": "-----BEGIN"}, NO_TEXT),
    "STEPUP_CLERK_AUTHORIZED_PARTIES": (
        (),
        {
            (): (),
            ("https://a.example", "http://localhost:3000"): (
                "https://a.example",
                "http://localhost:3000",
            ),
            ("chrome-extension://abcdef",): ("chrome-extension://abcdef",),
            "https://a.example": ("https://a.example",),
            " https://a.example, http://b.example:81 ": (
                "https://a.example",
                "http://b.example:81",
            ),
        },
        (
            *(5, True, b"text", ["text"], {}),
            "",
            "a.example",
            "https://a.example/x",
            ("https://a.example/",),
            ("a.example",),
            ("",),
            ("https://a.example", 5),
            (None,),
        ),
    ),
    "STEPUP_FACTOR_DOWNGRADE": (False, {True: True}, (1, "True", "")),
    "STEPUP_STORAGE_URI": (
        "sqlite:///stepup.db",
        {"memory://": "memory://"},
        (*NO_TEXT, ""),
    ),
    "STEPUP_STORAGE_TIMEOUT": (
        1.0,
        {1: 1.0, 0.05: 0.05, 60: 60.0},
        (*NO_NUMBER, 0, -1, 0.04, 60.1),
    ),
    "STEPUP_ATTEMPT_LIMIT": (
        (Limit(5, 300), Limit(100, 30 * 86_400)),
        {"3 per hour": (Limit(3, 3_600),)},
        (*NO_TEXT, "", "5", "0 per minute", "5 per week"),
    ),
    "STEPUP_CLOCK_LEEWAY": (
        10,
        {0: 0, 300: 300, 5.0: 5},
        (*NO_NUMBER, -1, 301, 1.5),
    ),
    "STEPUP_CHALLENGE_MAX_AGE": (
        900,
        {30: 30, 86_400: 86_400},
        (*NO_NUMBER, -1, 0, 29, 86_401, 60.5),
    ),
    "STEPUP_RESUME_MAX_BYTES": (
        65_536,
        {0: 0, 1: 1, 1_048_576: 1_048_576, 5.0: 5},
        (*NO_NUMBER, -1, 1_048_577, 60.5),
    ),
    "STEPUP_SECRET_FIELDS": (
        SECRET_FIELDS,
        {
            (): (),
            ("pin", "Pin", "*_pin"): ("pin", "Pin", "*_pin"),
            frozenset({"b", "a"}): ("a", "b"),
        },
        (*(5, True, b"pin", {}), "pin", "", ("",), (b"pin",), ("pin", 5), (None,)),
    ),
    "STEPUP_URL_PREFIX": (
        "/stepup",
        {"/confirm": "/confirm", "/a/b": "/a/b"},
        (*NO_TEXT, "", "/", "stepup", "/stepup/", "https://host/x", "/a\nb", "/<name>",
         "/../x"),
    ),
    "STEPUP_LOGIN_URL": (None, {"/login": "/login"}, (*NO_TEXT, "")),
    "STEPUP_ENROLL_URL": (None, {"/enrol": "/enrol"}, (*NO_TEXT, "")),
    "STEPUP_ALLOW_IMPERSONATION": (
        False,
        {True: True, False: False},
        (0, 1, "", "True", "no", [], b""),
    ),
    "STEPUP_APP_NAME": (None, {"Harbour Bank": "Harbour Bank"}, (*NO_TEXT, "")),
    "STEPUP_LOGO_URL": (
        None,
        {"/static/logo.svg": "/static/logo.svg",
         "https://cdn.example/logo.svg": "https://cdn.example/logo.svg"},
        (*NO_TEXT, "", "logo.svg", "javascript:alert(1)", "data:image/png,", "//cdn/x"),
    ),
    "STEPUP_SUPPORT_URL": (
        None,
        {"/help": "/help", "https://help.example/": "https://help.example/",
         "mailto:help@bank.example": "mailto:help@bank.example",
         "tel:+441632960000": "tel:+441632960000"},
        (*NO_TEXT, "", "help@bank.example", "javascript:alert(1)", "mailto:", "sms:1",
         "tel:+44 1632"),
    ),
    "STEPUP_BASE_TEMPLATE": (None, {"base.html": "base.html"}, (*NO_TEXT, "")),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a developer has in the environment is none of these tests' business."""
    for name in ("CLERK_SECRET_KEY", "CLERK_JWT_KEY", *TABLE):
        monkeypatch.delenv(name, raising=False)


def app_with(**config: Any) -> Flask:
    app = Flask("app")
    app.config.update(config)
    return app


def read(**config: Any) -> Settings:
    return Settings.read(app_with(**config))


def field(key: str) -> str:
    return key.removeprefix("STEPUP_").lower()


def test_the_table_has_every_setting() -> None:
    """Each setting has a row of good and bad values here."""
    assert set(TABLE) == {
        f"STEPUP_{setting.name.upper()}" for setting in dataclasses.fields(Settings)
    }


def test_defaults() -> None:
    """An app that sets nothing gets the documented defaults."""
    settings = read()
    assert {key: getattr(settings, field(key)) for key in TABLE} == {
        key: default for key, (default, _, _) in TABLE.items()
    }


@pytest.mark.parametrize("key", TABLE)
def test_none_is_the_default(key: str) -> None:
    """A setting that is None counts as not set."""
    assert getattr(read(**{key: None}), field(key)) == TABLE[key][0]


@pytest.mark.parametrize(
    ("key", "given", "value"),
    [
        (key, given, value)
        for key, row in TABLE.items()
        for given, value in row[1].items()
    ],
)
def test_a_good_value_is_read(key: str, given: Any, value: Any) -> None:
    """A good value is read, as the type that the package works with."""
    got = getattr(read(**{key: given}), field(key))
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [(key, value) for key, row in TABLE.items() for value in row[2]],
    ids=lambda value: str(value)[:30],
)
def test_a_bad_value_names_its_key(key: str, value: Any) -> None:
    """A value that cannot work stops the app, and the message names the key."""
    with pytest.raises(ConfigurationError, match=key):
        read(**{key: value})


@pytest.mark.parametrize(
    ("unknown", "nearest"),
    [
        ("STEPUP_PRESETS", "STEPUP_PRESET"),
        ("STEPUP_STORAGE_URL", "STEPUP_STORAGE_URI"),
        ("STEPUP_STORAGE", "STEPUP_STORAGE_URI"),
        ("STEPUP_CLERK_SECRET", "STEPUP_CLERK_SECRET_KEY"),
        ("STEPUP_SECRET_KEY", "STEPUP_CLERK_SECRET_KEY"),
        ("STEPUP_CLERK_URL", "STEPUP_CLERK_API_URL"),
        ("STEPUP_TIMEOUT", "STEPUP_CLERK_TIMEOUT"),
        ("STEPUP_ATTEMPTS_LIMIT", "STEPUP_ATTEMPT_LIMIT"),
        ("STEPUP_LEEWAY", "STEPUP_CLOCK_LEEWAY"),
        ("STEPUP_ENROL_URL", "STEPUP_ENROLL_URL"),
        ("STEPUP_preset", "STEPUP_PRESET"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(unknown: str, nearest: str) -> None:
    """A misspelt key stops the app, and the message names the one that was meant."""
    with pytest.raises(ConfigurationError) as refusal:
        read(**{unknown: "x"})
    assert unknown in str(refusal.value)
    assert f"did you mean {nearest}?" in str(refusal.value)


@pytest.mark.parametrize("unknown", ["STEPUP_", "STEPUP_XYZZY", "STEPUP_0"])
def test_a_key_like_no_other_is_refused_too(unknown: str) -> None:
    """A key of ours that nobody knows stops the app, also when it is not set."""
    for value in ("x", None):
        with pytest.raises(ConfigurationError, match=unknown):
            read(**{unknown: value})


def test_other_keys_are_none_of_our_business() -> None:
    """Keys without our prefix are left to whom they belong."""
    assert read(STEP_UP="x", stepup_preset="x", MY_STEPUP_PRESET="x") == read()


# --- where values come from ---


def test_the_secret_key_may_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a key in the configuration, CLERK_SECRET_KEY is used."""
    monkeypatch.setenv("CLERK_SECRET_KEY", "sk_test_env")
    assert read().clerk_secret_key == "sk_test_env"
    assert read(STEPUP_CLERK_SECRET_KEY=None).clerk_secret_key == "sk_test_env"


def test_the_configuration_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A key in the configuration is used whatever the environment says."""
    monkeypatch.setenv("CLERK_SECRET_KEY", "sk_test_env")
    settings = read(STEPUP_CLERK_SECRET_KEY="sk_test_config")
    assert settings.clerk_secret_key == "sk_test_config"


def test_an_empty_environment_is_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that is set to nothing counts as not set."""
    monkeypatch.setenv("CLERK_SECRET_KEY", "")
    assert read().clerk_secret_key is None


def test_only_clerks_keys_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No other setting can be changed from the environment."""
    before = read()
    for key in TABLE:
        monkeypatch.setenv(key, "from the environment")
        monkeypatch.setenv(key.removeprefix("STEPUP_"), "from the environment")
    monkeypatch.delenv("CLERK_SECRET_KEY")
    monkeypatch.delenv("CLERK_JWT_KEY")
    assert read() == before


def test_settings_are_read_once() -> None:
    """What is changed in the configuration later changes nothing."""
    app = app_with(STEPUP_CLOCK_LEEWAY=3)
    settings = Settings.read(app)
    app.config["STEPUP_CLOCK_LEEWAY"] = 4
    assert settings.clock_leeway == 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.clock_leeway = 5  # type: ignore[misc]


# --- secrets ---


def test_secrets_are_not_shown() -> None:
    """Neither the backend's key nor a password in a URI is in the settings' repr."""
    settings = read(
        STEPUP_CLERK_SECRET_KEY="sk_live_s3cret",
        STEPUP_STORAGE_URI="redis://:s3cret@host",
    )
    assert settings.clerk_secret_key == "sk_live_s3cret"
    assert settings.storage_uri == "redis://:s3cret@host"
    assert "s3cret" not in f"{settings} {settings!r} {[settings]}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("STEPUP_CLERK_SECRET_KEY", b"sk_live_s3cret"),
        ("STEPUP_CLERK_SECRET_KEY", ["sk_live_s3cret"]),
        ("STEPUP_STORAGE_URI", b"redis://:s3cret@host"),
        ("STEPUP_STORAGE_URI", ["redis://:s3cret@host"]),
    ],
    ids=repr_of,
)
def test_a_secret_of_the_wrong_type_is_not_shown(key: str, value: Any) -> None:
    """A secret that is refused is not repeated in the message."""
    with pytest.raises(ConfigurationError, match=key) as refusal:
        read(**{key: value})
    assert "s3cret" not in f"{refusal.value} {refusal.value!r}"


# --- fields that hold secrets ---

SECRET = """
    password Password PASSWORD password1 password2 new_password new-password newPassword
    current-password current_password old_password password_confirmation user[password]
    user[password_confirmation] form-0-password pwd user_pass pass1 passwd passphrase
    key_passphrase passcode pin PIN new_pin confirm_pin card-pin user[pin]
    account.pin pin_code cvv cvc cvv2 cvc2 card_cvc card[cvv] csc cc-csc security_code
    securityCode card_number cardnumber cardNumber card-number cc_number cc-number
    ccnumber ccnum card[number] credit_card_number credit_card[number]
    payment.cardNumber cardno secret client_secret client-secret clientSecret
    app[secret] secret_key secretAccessKey aws_secret_access_key api_key apiKey api-key
    x_api_key private_key access_token refresh_token otp OTP otp_code otp_token
    user[otp_attempt] token-otp_token totp totp_code one-time-code one_time_code
    mfa_code 2fa_code backup_code recovery-code verification_code security_answer
    seed_phrase
""".split()
HARMLESS = """
    csrf_token csrfmiddlewaretoken _csrf _csrf_token authenticity_token xsrf_token
    __RequestVerificationToken token _token state nonce code challenge submit action
    method name email username user login passenger passengers passport_number bypass
    compass pass_number spin spinner shipping shipping_pin_location opinion pincode
    pinned pins mapping secretary secretariat keyboard key monkey turkey api apiary
    card cardholder card_name card_expiry discard cc cc_email account account_number
    number iban amount to confirm confirmed confirm_transfer confirmation otp_device
    footprint otpusk security verification recovery_email message text q conf\u0131rm
    p\u0131n cl\u0131ent_secre\u0162 \u017fecret
""".split()


@pytest.mark.parametrize("name", SECRET)
def test_what_the_world_calls_a_secret_is_one(name: str) -> None:
    """The default list knows what real forms call their secrets."""
    assert read().is_secret(name)


@pytest.mark.parametrize("name", HARMLESS)
def test_a_harmless_field_is_no_secret(name: str) -> None:
    """Nor is a token that the app needs back, or a word with a secret's name in it."""
    assert not read().is_secret(name)


@pytest.mark.parametrize(
    ("pattern", "fitting", "others"),
    [
        ("pin", ["pin", "PIN"], ["", "pins", "spin", "pin ", "pin\n", "p\u0131n"]),
        ("user[pin]", ["user[pin]", "USER[Pin]"], ["userp", "user[pin]s", "useri"]),
        ("*", ["", "a", "a\nb"], []),
        ("*_pin", ["_pin", "a_pin", "a\n_pin", "_pin_pin"], ["pin", "a_pins"]),
        ("pin*", ["pin", "pins", "pin\n"], ["spin"]),
        ("a*b*c", ["abc", "aXbXc", "abcbc", "abcc"], ["acb", "abcd", "ac"]),
        ("a*aba*a", ["aabaa", "aababaa", "aXabaXa"], ["aaba", "abaa", "aba"]),
        ("*ab*ab", ["abab", "abXab", "ababab"], ["ab", "aab", "abXabX"]),
        ("**pin", ["pin", "a_pin"], ["pins"]),
        ("?in", ["?in"], ["pin"]),
        ("p.n", ["p.n"], ["pin"]),
        (".*", [".x", "."], ["x"]),
        ("\u00e4*", ["\u00e4b"], ["\u00c4b"]),
    ],
)
def test_a_pattern_has_one_wildcard(
    pattern: str, fitting: list[str], others: list[str]
) -> None:
    """A star stands for any text, all else for itself; ASCII letters in any case."""
    settings = read(STEPUP_SECRET_FIELDS=[pattern])

    assert [name for name in fitting if not settings.is_secret(name)] == []
    assert [name for name in others if settings.is_secret(name)] == []


def test_patterns_mean_what_fnmatch_means() -> None:
    """Random patterns fit the same random names as those of the standard library."""
    chance = random.Random(5)  # noqa: S311 (no secret)
    fitted = 0
    for _ in range(5_000):
        pattern = "".join(chance.choices("ab*", k=chance.randint(1, 6)))
        name = "".join(chance.choices("ab", k=chance.randint(0, 8)))
        fits = fnmatchcase(name, pattern)
        fitted += fits
        assert is_secret_name((pattern,), name) == fits, (pattern, name)
    assert 500 < fitted < 4_500


def test_an_empty_list_knows_no_secrets() -> None:
    """Whoever wants all fields carried can have it."""
    settings = read(STEPUP_SECRET_FIELDS=())
    assert not any(map(settings.is_secret, [*SECRET, ""]))


def test_a_long_name_takes_no_long_look() -> None:
    """Each further wildcard adds to the work instead of multiplying it."""
    settings = read(STEPUP_SECRET_FIELDS=["*card*card*card*card*x", "*a*r*d*c*a*x"])
    assert not settings.is_secret("card" * 20_000)


def test_one_name_in_place_of_a_list_is_told_the_mend() -> None:
    """Text would be a list of letters: the message shows what to write."""
    with pytest.raises(ConfigurationError, match=r"must be a list: \['pin'\]"):
        read(STEPUP_SECRET_FIELDS="pin")


def test_sizes_are_told_in_bytes() -> None:
    """A number that cannot work is told its own unit."""
    with pytest.raises(ConfigurationError, match="whole bytes between 0 and"):
        read(STEPUP_RESUME_MAX_BYTES=-1)
    with pytest.raises(ConfigurationError, match="whole seconds between 0 and 300"):
        read(STEPUP_CLOCK_LEEWAY=-1)


# --- keys ---


@pytest.mark.parametrize("missing", [None, "", b""])
def test_without_a_secret_key_nothing_is_signed(missing: Any) -> None:
    """An app without SECRET_KEY is told how to make one."""
    with pytest.raises(ConfigurationError) as refusal:
        signing_keys(app_with(SECRET_KEY=missing, SECRET_KEY_FALLBACKS=["old"]))
    assert "SECRET_KEY is not set" in str(refusal.value)
    assert "secrets.token_hex()" in str(refusal.value)


@pytest.mark.parametrize("fallbacks", [None, [], ()])
def test_one_key_is_enough(fallbacks: Any) -> None:
    """Without fallbacks the secret key is the only key."""
    app = app_with(SECRET_KEY="now", SECRET_KEY_FALLBACKS=fallbacks)
    assert signing_keys(app) == ["now"]


def test_keys_are_in_order_of_age() -> None:
    """Fallbacks come first, oldest first, and the key that signs is the last."""
    app = app_with(SECRET_KEY=b"now", SECRET_KEY_FALLBACKS=["oldest", "older"])
    keys = signing_keys(app)
    assert keys == ["oldest", "older", b"now"]
    token = Signer(keys).dumps("use", (), 1)
    assert Signer(["now"]).loads("use", (), token) == 1


@pytest.mark.parametrize(
    "fallbacks", ["an old key", b"an old key", [""], [b""], [None], ["old", ""], [5], 5]
)
def test_fallbacks_that_are_no_keys_are_refused(fallbacks: Any) -> None:
    """A fallback that anybody can guess would let anybody sign.

    Text in place of a list would be a list of keys of one letter each, and an unset
    variable a key that is empty.
    """
    app = app_with(SECRET_KEY="now", SECRET_KEY_FALLBACKS=fallbacks)
    with pytest.raises(ConfigurationError, match="SECRET_KEY_FALLBACKS"):
        signing_keys(app)
