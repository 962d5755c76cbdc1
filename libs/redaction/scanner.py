"""The one pass over a statement: tokens in, safe tokens out, and a stop where reading on would be a guess.

Safe tokens are reserved words in upper case, names as they were written (in backticks where they are not plain words),
operators, and `?`, `...` and `(...)` for literals, lists of literals and rows of literals.
"""

from __future__ import annotations

import re

from libs.redaction.lexicon import (
    ACCOUNT_BETWEEN,
    ACCOUNT_OBJECTS,
    ACCOUNT_VERBS,
    ACCOUNT_WORDS,
    FOLLOWERS,
    LITERAL_WORDS,
    RESERVED,
    STATEMENT_OPENERS,
    TYPED_LITERALS,
)

MAX_TOKENS = 2_000
"""Longest normalised text, in tokens; what follows is dropped."""
MAX_IDENTIFIER = 64
"""Longest identifier of both engines, in characters (MySQL manual, "Identifier Length Limits")."""

MARK = "?"
MORE = "..."
ROW = "(...)"

_MARKS = frozenset({MARK, MORE})
_LITERALS = _MARKS | LITERAL_WORDS
_LISTS = frozenset({"IN", "VALUES"})
_BEFORE_SIGN = frozenset(["(", ",", "=", "<", ">", "<=", ">=", "<>", "!=", "<=>", ":=", "*", "/", "%", "||", "&&"])

# No possessive quantifiers: Python before 3.11.5 can match nothing with them and never come to an end. Each loop below
# is written so that a character can be taken in one way only, which keeps a failed match linear.
_TOKEN = re.compile(
    r"""
      (?P<space>    [ \t\r\n\f\v]+ )
    | (?P<comment>  (?: \# | --(?=[\x00-\x20\x7f]|\Z) ) [^\n\x00]* | /\*(?![+!]|M!) [^*]*(?:\*(?!/)[^*]*)* (?:\*/|\Z) )
    | (?P<executed> /\*(?:[+!]|M!) )
    | (?P<string>   (?:[nNxXbB]|_[A-Za-z0-9]+[ \t\r\n]*)?
                    (?:'[^'\\]*(?:(?:''|\\[^'])[^'\\]*)*|"[^"\\]*(?:(?:""|\\[^"])[^"\\]*)*) )
    | (?P<quoted>   `[^`]*(?:``[^`]*)*`(?!`) )
    | (?P<foreign>  [0-9A-Za-z_$]* [^\x00-\x7f] [0-9A-Za-z_$\x80-\U0010ffff]* )
    | (?P<number>   \.?[0-9][0-9A-Za-z_$.]* (?:(?<=[eE])[+-][0-9]+)? )
    | (?P<word>     [A-Za-z_][0-9A-Za-z_$]* )
    | (?P<system>   @@ )
    | (?P<account>  @[0-9A-Za-z_$.%-]* )
    | (?P<more>     \.\.\. )
    | (?P<operator> <=> | [<>!]= | <> | := | \|\| | && | ->>? | << | >> | [-+*/%=<>!&|^~.,;:?(){}\[\]] )
    """,
    re.VERBOSE | re.DOTALL,
)
_EXECUTED = re.compile(r"/\*(?:[+!]|M!)(?:[^*'\"`#/-]|\*(?!/)|/(?!\*)|-(?!-))*\*/")
_GLUE = re.compile(r"[0-9A-Za-z_$`'\"]|[^\x00-\x7f]")
_BARE_NAME = re.compile(r"[A-Za-z_][0-9A-Za-z_$]*", re.ASCII)
_UNSAFE_IN_NAME = re.compile(r"[\x00-\x1f\x7f'\"`]")


def scan(sql: str) -> tuple[list[str], bool]:
    """The safe tokens of `sql`, and whether the scan came to its end."""
    scanner = _Scanner(sql)
    complete = scanner.run()
    return scanner.tokens, complete


class _Scanner:
    """Each `_on_` method takes one kind of token, and returns False where what follows cannot be read for certain."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._position = 0
        self._statement_at = 0
        self.tokens: list[str] = []

    def run(self) -> bool:
        handlers = {
            "executed": self._on_executed,
            "string": self._on_string,
            "quoted": self._on_quoted,
            "foreign": self._on_literal,
            "number": self._on_literal,
            "word": self._on_word,
            "account": self._on_account,
            "system": self._on_operator,
            "more": self._on_operator,
            "operator": self._on_operator,
        }
        while self._position < len(self._sql):
            token = _TOKEN.match(self._sql, self._position)
            if token is None or token.end() == self._position or len(self.tokens) >= MAX_TOKENS:
                return False
            self._position = token.end()
            handler = handlers.get(token.lastgroup or "")
            if handler is not None and not handler(token):
                return False
        return True

    def _on_executed(self, token: re.Match[str]) -> bool:
        """Drop what the engine would execute, unless a quote or another comment puts its end in doubt."""
        comment = _EXECUTED.match(self._sql, token.start())
        if comment is None:
            return False
        self._position = comment.end()
        return True

    def _on_string(self, token: re.Match[str]) -> bool:
        """A string: closed by its own quote, with nothing glued to either end that a slipped quote would explain."""
        quote = next(character for character in token.group() if character in "'\"")
        start = token.start()
        glued = start > 0 and _GLUE.match(self._sql, start - 1) is not None and not self._ends_in_keyword()
        if glued and self.tokens:
            self.tokens.pop()
        self._literal()
        closed = self._sql.startswith(quote, self._position)
        self._position += 1
        return closed and not glued and _GLUE.match(self._sql, self._position) is None

    def _ends_in_keyword(self) -> bool:
        last = self.tokens[-1:]
        return bool(last) and (last[0] in RESERVED or last[0].upper() in TYPED_LITERALS)

    def _on_quoted(self, token: re.Match[str]) -> bool:
        self._name(token.group()[1:-1].replace("``", "`"))
        return True

    def _on_literal(self, _token: re.Match[str]) -> bool:
        self._literal()
        return True

    def _on_account(self, token: re.Match[str]) -> bool:
        """A user variable, or the host of an account whose user has been taken for a name."""
        if self.tokens and _is_name(self.tokens[-1]):
            self.tokens[-1] = MARK
        self.tokens.append("@")
        if token.group() != "@":
            self.tokens.append(MARK)
        return True

    def _on_operator(self, token: re.Match[str]) -> bool:
        text = token.group()
        if text == MARK:
            self._literal()
        elif text == ")":
            self._close()
        else:
            self.tokens.append(text)
        if text == ";":
            self._statement_at = len(self.tokens)
        return True

    def _on_word(self, token: re.Match[str]) -> bool:
        word, last = token.group(), self._last()
        upper = word.upper()
        if last in (".", "@", "@@"):
            self._name(word)
            return True
        if upper in LITERAL_WORDS:
            self._literal(upper)
        elif upper in RESERVED:
            self.tokens.append(upper)
        elif last not in _MARKS:
            self._name(word)
        elif upper in FOLLOWERS:
            self.tokens.append(upper)
        if upper in STATEMENT_OPENERS:
            self._statement_at = len(self.tokens)
        return not self._names_account(upper)

    def _names_account(self, upper: str) -> bool:
        if upper in ACCOUNT_WORDS:
            return True
        if upper not in ACCOUNT_OBJECTS:
            return False
        words = [word.upper() for word in self.tokens[-5:-1]]
        while words and words[-1] in ACCOUNT_BETWEEN - ACCOUNT_VERBS:
            words.pop()
        if not words or words[-1] not in ACCOUNT_VERBS:
            return False
        return words[-1] != "SET" or len(self.tokens) - self._statement_at <= 3

    def _last(self) -> str:
        return self.tokens[-1] if self.tokens else ""

    def _name(self, name: str) -> None:
        """Append a name; what is no valid name of a table or column, or names an account, becomes `?`."""
        is_account = self._last() == "@" or [token.upper() for token in self.tokens[-2:]] == ["DEFINER", "="]
        if is_account or len(name) > MAX_IDENTIFIER or not name or _UNSAFE_IN_NAME.search(name):
            self.tokens.append(MARK)
        elif _BARE_NAME.fullmatch(name) and name.upper() not in RESERVED and self._last() not in _MARKS:
            self.tokens.append(name)
        else:
            self.tokens.append(f"`{name}`")

    def _literal(self, word: str = MARK) -> None:
        """Append `?` or a word such as NULL; signs are dropped, and lists and neighbours become one."""
        tokens = self.tokens
        while word == MARK and self._last() in ("+", "-") and self._sign_stands():
            tokens.pop()
        if self._last() in _MARKS and word == MARK:
            return
        if self._last() == "," and len(tokens) > 1 and tokens[-2] in _LITERALS:
            tokens[-2:] = [MORE]
        else:
            tokens.append(word)

    def _sign_stands(self) -> bool:
        before = self.tokens[-2] if len(self.tokens) > 1 else "("
        return before in _BEFORE_SIGN or before in ("+", "-") or (before in RESERVED and before not in LITERAL_WORDS)

    def _close(self) -> None:
        """A closing bracket; a list of literals becomes a row, and rows that follow each other become one."""
        tokens = self.tokens
        is_list = len(tokens) > 2 and (tokens[-3] in _LISTS or tokens[-4:-2] == [ROW, ","])
        is_row = self._last() == MORE or (is_list and self._last() in _LITERALS)
        if not is_row or tokens[-2:-1] != ["("]:
            tokens.append(")")
            return
        tokens[-2:] = [ROW]
        if tokens[-3:] == [ROW, ",", ROW]:
            del tokens[-2:]


def _is_name(token: str) -> bool:
    return token not in RESERVED and (token[0] == "`" or _BARE_NAME.fullmatch(token) is not None)
