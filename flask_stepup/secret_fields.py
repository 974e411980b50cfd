"""Which form fields hold secrets, as far as their names tell."""

from __future__ import annotations

import re
from functools import lru_cache

#: The default of ``STEPUP_SECRET_FIELDS``; ``*`` stands for any text. A word that is
#: part of harmless ones (``spin``, ``compass``, ``secretary``) has to stand alone, and
#: no pattern fits the tokens by which apps tell their own forms (``csrf_token``,
#: ``authenticity_token``): those have to come back with the form.
SECRET_FIELDS = (
    # Passwords, under the names of Django, Rails, WordPress, WTForms and autocomplete.
    *("*password*", "*passwd*", "*passphrase*", "*passcode*", "*pwd*"),
    *("pass", "pass1", "pass2", "*_pass", "*-pass", "*[pass]", "*.pass"),
    *("*passwort*", "*kennwort*", "*mot_de_passe*", "*motdepasse*", "*contrase*"),
    *("senha", "*_senha", "*wachtwoord*"),
    # PINs. What is called "pincode" is a postal code in India.
    *("pin", "pin1", "pin2", "*_pin", "*-pin", "*[pin]", "*.pin"),
    *("pin_code", "pin-code", "pin_confirm*", "cardpin", "newpin", "oldpin"),
    # Payment cards.
    *("*cvv*", "*cvc*", "csc", "*_csc", "*-csc", "*[csc]"),
    *("*security_code*", "*security-code*", "*securitycode*"),
    *("*card_num*", "*card-num*", "*cardnum*", "*card[num*", "*card.num*"),
    *("*card_no", "*card-no", "*cardno", "creditcard", "credit_card", "credit-card"),
    *("*cc_num*", "*cc-num*", "*ccnum*", "*cc[num*", "ccno", "cc_no", "cc-no"),
    *("cvn", "*_cvn"),
    # What banks and offices ask for to know somebody.
    *("ssn", "*_ssn", "*-ssn", "*[ssn]", "*social_security*", "*social-security*"),
    # Keys and tokens of programs.
    *(
        "secret",
        "secrets",
        "*_secret",
        "*-secret",
        "*[secret]",
        "*.secret",
        "*clientsecret",
    ),
    *("*secret_key*", "*secret-key*", "*secretkey*", "*private_key*", "*private-key*"),
    *("*signing_key*", "*signing-key*"),
    *("*privatekey*", "*api_key*", "*api-key*", "*apikey*", "*access_key*"),
    *("*access-key*", "*accesskey*", "*api_token*", "*api-token*", "*apitoken*"),
    *("*access_token*", "*access-token*", "*accesstoken*"),
    *("*refresh_token*", "*refresh-token*", "*refreshtoken*"),
    # Codes that prove who somebody is.
    *("*totp*", "otp", "*_otp", "*-otp", "*[otp]", "*.otp", "otp1", "otp2"),
    *("*otp_code*", "*otp-code*", "*otpcode*", "*otp_token*", "*otp-token*"),
    *("*otp_attempt*", "*one_time_code*", "*one-time-code*", "*onetimecode*"),
    *("*mfa_code*", "*mfa-code*", "*mfacode*", "*mfa_token*", "*2fa_code*"),
    *("*2fa-code*", "*2fa_token*", "*two_factor_code*", "*two-factor-code*"),
    *("*backup_code*", "*backup-code*", "*recovery_code*", "*recovery-code*"),
    *("*sms_code*", "*sms-code*", "*smscode*"),
    *("*verification_code*", "*verification-code*", "*verificationcode*"),
    *("*security_answer*", "*security-answer*", "*secret_answer*", "*secret-answer*"),
    *("*seed_phrase*", "*recovery_phrase*", "*mnemonic*"),
)


_INDEX = re.compile(r"(?:\[[0-9]*\])+$", re.ASCII)


def is_secret_name(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a name fits a pattern, in upper or lower case (of ASCII letters).

    An index at its end (``otp[]``, ``otp[0]``, one box for each digit) is passed over.
    """
    if not patterns:
        return False
    known, plain = _compiled(patterns), _INDEX.sub("", name)
    return bool(known.fullmatch(name) or known.fullmatch(plain))


@lru_cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    flags = re.ASCII | re.IGNORECASE | re.DOTALL
    return re.compile("|".join(map(_expression, patterns)), flags)


def _expression(pattern: str) -> str:
    """Return a regular expression that takes no more steps than a name is long.

    What is found between two wildcards is not sought again (``(?>…)``): were the rest
    not to fit there, it would not fit further on either.
    """
    first, *between = map(re.escape, pattern.split("*"))
    if not between:
        return first
    last = between.pop()
    return first + "".join(f"(?>.*?{part})" for part in between) + ".*" + last
