"""What is secret, by name and by value. Done in the process that made the send, before anything is written."""

import re
from collections.abc import Iterable
from functools import lru_cache

MASK = "••••••"

#: Anywhere in a name, separators and case left out: newPassword1, X-Access-Token.
_SECRET_ANYWHERE = (
    "password passwd passphrase passcode secret token apikey accesskey privatekey credential cookie authorization "
    "signature session csrf"
).split()
#: As a whole part of a name: api_key, PIN; not keyboard, spinning.
_SECRET_PARTS = frozenset("pwd pass otp totp mfa pin cvv cvc ssn dsn auth key jwt sid pan iban salt".split())
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

_SECRET_VALUES = re.compile(
    r"""
    (?P<userinfo> (?<=://) [^/\s@]{0,256} @ )                      # credentials in a URL
    | eyJ[\w-]{8,}\.[\w-]{2,}(?:\.[\w-]*)?                         # JSON web token
    | -----BEGIN[\ A-Z]+-----[\s\S]*                               # PEM
    | (?:Bearer|Basic|Token|Digest)\s+[\w.~+/=:-]{4,}              # authorization header
    | (?:pbkdf2_\w+|argon2\w*|bcrypt\w*|scrypt|md5|sha1)\$\S{8,}   # password hash
    | (?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{40,}   # long random text, with - and _
    | (?<![A-Za-z0-9])(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{24,}  # … or without
    | (?<=/)[a-z0-9]{1,13}-[0-9a-f]{32}(?=/|$)                     # password-reset link
    """,
    re.VERBOSE,
)
_MODEL_WORDS = ("session", "token", "secret", "credential", "apikey")


class Masking:
    """Which names and values are masked."""

    def __init__(self, more_names: Iterable[str] = ()) -> None:
        more = frozenset(_squeezed(name) for name in more_names)

        @lru_cache(maxsize=4_096)
        def hides_name(name: str) -> bool:
            squeezed = _squeezed(name)
            return (
                squeezed in more
                or any(word in squeezed for word in _SECRET_ANYWHERE)
                or any(part.lower() in _SECRET_PARTS or part.lower() in more for part in _PARTS.findall(name))
            )

        self.hides_name = hides_name

    @staticmethod
    @lru_cache(maxsize=1_024)
    def hides_model(label: str) -> bool:
        """Whether every text of the model's instances is secret, the primary key included."""
        squeezed = _squeezed(label.rpartition(".")[2])
        return any(word in squeezed for word in _MODEL_WORDS)

    @staticmethod
    def mask_text(text: str) -> str:
        """The text with secrets in it replaced."""
        if len(text) < 24 and " " not in text and ":" not in text and "$" not in text and "." not in text:
            return text
        return _SECRET_VALUES.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    return MASK + "@" if match["userinfo"] is not None else MASK


def _squeezed(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())
