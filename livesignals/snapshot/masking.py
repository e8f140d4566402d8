"""What is secret, by name and by value. Done in the process that made the send, before anything is written.

A text is looked at twice: for secrets that have a form of their own (credentials in a URL, ``password=…``, a JSON web
token), then for runs of letters and digits that no person would have written.
"""

import logging
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

logger = logging.getLogger("livesignals")

MASK = "••••••"
MAX_REPLACEMENT_CHARS = 1_024

#: Anywhere in a name, separators and case left out: newPassword1, X-Access-Token.
_SECRET_ANYWHERE = (
    "password passwd passphrase passcode secret token apikey accesskey privatekey credential cookie authorization "
    "signature session csrf bearer signingkey encryptionkey recoverycode backupcode verificationcode securitycode "
    "accesscode connectionstring querystring passwort kennwort creditcard"
).split()
#: As a whole part of a name: api_key, PIN; not keyboard, spinning.
_SECRET_PARTS = frozenset("pwd pass otp totp mfa pin cvv cvc ssn dsn auth key jwt hmac sid pan iban salt".split())
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
#: Names are looked at up to here; nobody writes longer ones.
_MAX_NAME_CHARS = 128
#: Of the texts that are remembered as clean: how many, and how long at most.
_MAX_CLEAN, _MAX_CLEAN_CHARS = 8_192, 64

#: Known by how it begins. Each alternative begins with a letter of its own: that makes the search quick.
_BEGINNINGS = re.compile(
    r"""
    -----BEGIN[\ A-Z0-9]+----- [\s\S]*? (?: -----END[\ A-Z0-9]+----- | \Z )      # PEM
    | eyJ[\w-]{8,}\.[\w-]{2,}(?:\.[\w-]*)?                                        # JSON web token
    | Bearer\s+[\w.~+/=-]{8,}
    | (?:Basic|Token|Digest) \s+ (?=\S*(?:\d|[a-z][A-Z]|[=_])) [\w.~+/=:-]{6,}
    | (?P<header> [Cc]ookie:\s* | [Aa]uthorization:\s* ) [^\n]+
    | A[KS]IA[0-9A-Z]{16} | AIza[\w-]{30,} | gh[opsur]_\w{16,} | github_pat_\w{16,} | glpat-[\w-]{16,}
    | sk_(?:live|test)_\w{8,} | rk_(?:live|test)_\w{8,} | whsec_\w{16,} | xox[a-z]-[\w-]{8,}
    """,
    re.VERBOSE,
)
#: user:password@ in a URL; the password may hold what it should not, unescaped.
_USERINFO = re.compile(r"(?<=://)(?:[^/\s?#]{0,2048}|[^/\s?#@:]{0,256}:(?!\d{1,5}(?:[/?#\s]|\Z))[^\s\"'<>]{0,2048})@")
#: Password hashes, as Django and as crypt write them.
_HASH = re.compile(
    r"(?:pbkdf2_\w+|argon2\w*|bcrypt\w*|scrypt|md5|sha1)\$\S{8,}|(?<!\w)\$(?:2[abxy]?|5|6|y|argon2\w*)\$\S{8,}"
)
#: password=…, "password": "…"
_NAMED = re.compile(
    r"""
    (?<![\w.-]) (?P<name> [A-Za-z][\w.-]{0,63} ) (?P<is> \s? =>? \s? (?=["']?[^\s=]) | \\?["'] \s{0,2} : \s{0,2} )
    (?: " (?:[^"\\]|\\.)* "? | ' (?:[^'\\]|\\.)* '?
      | \\" (?:[^"\\]|\\[^"])* (?:\\")? | \\' (?:[^'\\]|\\[^'])* (?:\\')?            # JSON inside JSON
      | [^\s&;,"'(){}\[\]<>]+ )
    """,
    re.VERBOSE,
)
_RUN = re.compile(r"(?<![A-Za-z0-9_+/-])[A-Za-z0-9_+/-]{22,}={0,2}")
_BASE64 = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*[0-9])[A-Za-z0-9+/]{32,}={0,2}")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: Letters of one case and digits, without a separator: tokens if there are both.
_UNBROKEN = re.compile(r"[A-Z0-9]{24,}|[a-z0-9]{24,}")
#: Where letters turn into digits, digits into letters, or small letters into capitals that begin no word.
_TURN = re.compile(r"(?<=[a-z])(?=[0-9]|[A-Z](?![a-z]))|(?<=[A-Z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])")
#: … or where a word begins inside a word.
_BREAK = re.compile(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=[0-9]|[A-Z][a-z])|(?<=[0-9])(?=[A-Za-z])")
_TURNS_A_CHAR, _BREAKS_A_CHAR = 0.15, 0.28

_MODEL_WORDS = ("session", "token", "secret", "credential", "apikey")
_MODEL_NAMES = ("grant", "nonce", "password")


class MaskFunctionFailed(Exception):
    """The project's own function did not say how to show a value."""


class Masking:
    """Which names and values are masked.

    *function* is the project's own: given the name and the text of a value, already masked by the rules here, it
    returns the text to show instead, or None for "as it is".
    """

    def __init__(
        self, more_names: Iterable[str] = (), function: Callable[[str, str], str | None] | None = None
    ) -> None:
        more = tuple(_parted(name) for name in more_names)
        self._function = function
        self._was_reported = False
        #: Everything is masked; types and names of keys stay.
        self.is_blind = False

        @lru_cache(maxsize=4_096)
        def hides_name(name: str) -> bool:
            name = name[:_MAX_NAME_CHARS]
            squeezed = re.sub(r"[^a-z0-9]", "", name.lower())
            parted = _parted(name)
            return (
                any(word in squeezed for word in _SECRET_ANYWHERE)
                or not _SECRET_PARTS.isdisjoint(parted.split("_"))
                or any(word in parted or word.replace("_", "") == squeezed for word in more)
            )

        self.hides_name = hides_name

        @lru_cache(maxsize=1_024)
        def hidden_of(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(filter(hides_name, names))

        self.hidden_of = hidden_of
        #: Texts that are shown as they are, whatever name they go by: most are met again and again.
        self.clean: set[str] = set()

    @classmethod
    def blind(cls) -> "Masking":
        """One that masks every value."""
        masking = cls()
        masking.is_blind = True
        return masking

    @staticmethod
    @lru_cache(maxsize=1_024)
    def hides_model(label: str) -> bool:
        """Whether every text of the model's instances is secret, the primary key included."""
        name = re.sub(r"[^a-z0-9]", "", label.rpartition(".")[2].lower())
        return name in _MODEL_NAMES or any(word in name for word in _MODEL_WORDS)

    def mask_text(self, text: str) -> str:
        """The text with what looks like a secret replaced."""
        if len(text) >= 14:
            text = _BEGINNINGS.sub(_begun, text)
            if "$" in text:
                text = _HASH.sub(MASK, text)
        if "@" in text and "://" in text:
            text = _USERINFO.sub(MASK + "@", text)
        if "=" in text or '":' in text or "':" in text:
            text = _NAMED.sub(self._named, text)
        return _RUN.sub(_run, text) if len(text) >= 22 else text

    def found_clean(self, text: str) -> None:
        """Remember a text that none of the rules here changed. The project's own function is asked each time."""
        if self._function is None and not self.is_blind and len(text) <= _MAX_CLEAN_CHARS:
            if len(self.clean) >= _MAX_CLEAN:
                self.clean.clear()
            self.clean.add(text)

    def mask_value(self, name: str, text: str) -> str:
        """The text of a value known by *name*, as the project wants it shown.

        Raises :class:`MaskFunctionFailed`, after a report in the log, when the project's own function fails.
        """
        if self.is_blind:
            return MASK
        masked = self.mask_text(text)
        if self._function is None:
            return masked
        try:
            shown: Any = self._function(name, masked)
        except BaseException as error:  # also a SystemExit, which would end the flusher's thread
            self._report(f"raised {type(error).__qualname__}")
        else:
            if shown is None:
                return masked
            if type(shown) is str:
                return shown[:MAX_REPLACEMENT_CHARS]
            self._report(f"returned {type(shown).__qualname__}, not str or None")
        raise MaskFunctionFailed

    def _report(self, problem: str) -> None:
        """Once, and without the error's message or traceback: the value may be in them."""
        if not self._was_reported:
            self._was_reported = True
            logger.error(
                "livesignals: LIVESIGNALS['MASK_FUNCTION'] %s; everything is masked in the events for which it does. "
                "This is reported once.",
                problem,
            )

    def _named(self, match: re.Match[str]) -> str:
        return f"{match['name']}{match['is']}{MASK}" if self.hides_name(match["name"]) else match[0]


def _begun(match: re.Match[str]) -> str:
    return (match["header"] or "") + MASK


def _run(match: re.Match[str]) -> str:
    run = match[0]
    if "/" in run:
        masked = "/".join([MASK if _is_random(part) else part for part in run.split("/")])
        if masked != run or not _BASE64.fullmatch(run):
            return masked
    return MASK if _is_random(run) else run


def _is_random(run: str) -> bool:
    """Whether a run of letters and digits was made by a machine: a token, not a name, slug, path or UUID."""
    if len(run) < 22:
        return False
    run = _UUID.sub("-", run)
    expected = len(run) if len(run) < 40 else len(run) * 0.75
    return bool(
        any(not part.isalpha() and not part.isdigit() for part in _UNBROKEN.findall(run))
        or len(_TURN.findall(run)) > _TURNS_A_CHAR * expected
        or len(_BREAK.findall(run)) > _BREAKS_A_CHAR * expected
    )


def _parted(name: str) -> str:
    """``_new_password_1_`` for newPassword1, New-Password1 and new_password1."""
    return f"_{'_'.join(_PARTS.findall(name)).lower()}_"
