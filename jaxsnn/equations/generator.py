"""The generator syntax of `connect`: which targets each element of the other group gets.

>>> print(parse_generator("k for k in range(i - 2, i + 3) if k != i"))
j = k for k in range(i - 2, i + 3) if k != i
>>> print(parse_generator("k for k in sample(N_pre, size=100)", target="i"))
i = k for k in sample(N_pre, size=100)
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from jaxsnn.equations.expressions import Expr, Name, Number, names, parse, render, walk
from jaxsnn.equations.functions import CONSTANTS, FUNCTIONS
from jaxsnn.equations.statements import strip_comments
from jaxsnn.errors import EquationError, Source, UnknownNameError, did_you_mean

__all__ = ["Generator", "Range", "Sample", "parse_generator"]

EXAMPLES = "'k for k in range(N_post) if i != k' or 'k for k in sample(N_post, p=0.1)'"


@dataclass(frozen=True)
class Range:
    """``range(start, stop, step)``: start, start + step, ... up to, not including, stop."""

    start: Expr
    stop: Expr
    step: Expr

    def __str__(self) -> str:
        return f"range({self.arguments})"

    @property
    def arguments(self) -> str:
        """The arguments as text, without those that have their default value."""
        one = self.step == Number(1)
        parts = [self.stop] if one and self.start == Number(0) else [self.start, self.stop]
        return ", ".join(map(render, parts if one else [*parts, self.step]))


@dataclass(frozen=True)
class Sample:
    """A random part of a range, in ascending order, no value twice.

    Either each value is taken with probability ``p``, or ``size`` of them are taken.
    """

    population: Range
    p: Expr | None = None
    size: Expr | None = None

    def __str__(self) -> str:
        key, value = ("size", self.size) if self.p is None else ("p", self.p)
        assert value is not None  # the parser asks for exactly one
        return f"sample({self.population.arguments}, {key}={render(value)})"


@dataclass(frozen=True)
class Generator:
    """``target = element for variable in values if condition``, for each of the other group.

    Attributes:
        target: ``"j"`` (for each i) or ``"i"`` (for each j).
        element: The index of the target.
        variable: The loop variable, or None without a loop (``j='i + 1'``: one synapse for each i).
        values: What the loop variable runs through, or None without a loop.
        condition: Which of the pairs are connected, or None for all.
        source: The user's text, for messages.
    """

    target: str
    element: Expr
    variable: str | None = None
    values: Range | Sample | None = None
    condition: Expr | None = None
    source: Source = field(default=Source(""), compare=False, repr=False)

    @property
    def outer(self) -> str:
        """The index that the generator is given: ``"i"`` for ``j='...'``."""
        return "i" if self.target == "j" else "j"

    def __str__(self) -> str:
        loop = "" if self.values is None else f" for {self.variable} in {self.values}"
        condition = "" if self.condition is None else f" if {render(self.condition)}"
        return f"{self.target} = {render(self.element)}{loop}{condition}"


def parse_generator(text: str, target: str = "j", source: Source | None = None) -> Generator:
    """Read ``EXPR for k in range(a, b, c) if CONDITION`` and its shorter forms.

    * ``EXPR for k in range([start,] stop[, step])``
    * ``EXPR for k in sample([start,] stop[, step], p=...)`` or ``size=...``
    * ``EXPR``: one target for each element of the other group

    each with or without ``if CONDITION``.

    Args:
        text: The user's text, what stands right of ``j=``.
        target: The index that the text defines: ``"j"`` or ``"i"``.
        source: Where the text was given; its ``text`` must be the same text.

    Raises:
        EquationError: for anything else, with the line and a caret.

    Example:
        >>> parse_generator("i + 1 if i < N_post - 1").condition
        Compare('<', Name('i'), Binary('-', Name('N_post'), Number(1)))
    """
    return _Reader(text, target, Source(text, target) if source is None else source).read()


class _Reader:
    def __init__(self, text: str, target: str, source: Source) -> None:
        flat = strip_comments(text).replace("\n", " ").replace("\t", " ").replace("\r", " ")
        self.text = flat
        self.target = target
        self.source = source
        # One added parenthesis makes line breaks and leading blanks harmless; ast counts in bytes.
        self.bytes = f"({flat}".encode()

    def read(self) -> Generator:
        if not self.text.strip():
            raise self.source.error(f"a generator is missing here; write {EXAMPLES}")
        tree = self.tree(f"({self.text})")
        if isinstance(tree, ast.GeneratorExp):
            return self.loop(tree)
        if isinstance(tree, ast.ListComp | ast.SetComp | ast.DictComp):
            raise self.source.error("write the generator without the brackets", self.span(tree))
        if tree is None:
            # 'EXPR if CONDITION' alone is no Python; an else makes it a conditional expression.
            short = self.tree(f"({self.text} else 0)")
            if isinstance(short, ast.IfExp):
                return self.checked(self.expr(short.body), None, None, self.expr(short.test))
        return self.checked(parse(self.text, self.source), None, None, None)

    def tree(self, text: str) -> ast.expr | None:
        """Python's tree; None for a text without a loop that Python cannot read."""
        try:
            return ast.parse(text, mode="eval").body
        except RecursionError:
            raise self.source.error("this generator is nested too deeply") from None
        except (SyntaxError, ValueError) as error:
            if " for " not in text:
                return None
            column = (getattr(error, "offset", None) or 1) - 2
            column = max(0, min(column, len(self.text.rstrip()) - 1))
            raise self.source.error(
                f"this generator cannot be read; write for example {EXAMPLES}", (column, column + 1)
            ) from None

    def span(self, node: ast.expr) -> tuple[int, int]:
        """The place of a node in the user's text, in characters."""
        start, end = node.col_offset, node.end_col_offset or node.col_offset
        return len(self.bytes[:start].decode()) - 1, len(self.bytes[:end].decode()) - 1

    def expr(self, node: ast.expr) -> Expr:
        start, end = self.span(node)
        return parse(self.text[start:end], self.source, start)

    def loop(self, tree: ast.GeneratorExp) -> Generator:
        first, *more = tree.generators
        if more or first.is_async:
            raise self.source.error("only one 'for' is possible", self.span((more or [first])[0].target))
        if not isinstance(first.target, ast.Name):
            raise self.source.error("the loop variable must be one name", self.span(first.target))
        if len(first.ifs) > 1:
            raise self.source.error("write one condition, joined with 'and'", self.span(first.ifs[1]))
        variable = first.target.id
        self.check_variable(variable, first.target)
        condition = self.expr(first.ifs[0]) if first.ifs else None
        return self.checked(self.expr(tree.elt), variable, self.values(first.iter, variable), condition)

    def check_variable(self, name: str, node: ast.expr) -> None:
        taken = {"i": "the index in the source group", "j": "the index in the target group"}
        taken |= dict.fromkeys(CONSTANTS, "a constant") | dict.fromkeys(FUNCTIONS, "a function")
        if name in taken:
            raise self.source.error(
                f"{name!r} is {taken[name]} and cannot be the loop variable; write for example 'k'",
                self.span(node),
            )
        if name.startswith("_"):
            raise self.source.error("names that begin with '_' are kept for the simulator", self.span(node))

    def values(self, node: ast.expr, variable: str) -> Range | Sample:
        known = ("range", "sample")
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            raise self.source.error("a loop variable runs through range(...) or sample(...)", self.span(node))
        function = node.func.id
        if function not in known:
            raise self.source.error(
                f"a loop variable runs through range(...) or sample(...), not"
                f" {function}(...).{did_you_mean(function, known)}",
                self.span(node.func),
                UnknownNameError,
            )
        if not 1 <= len(node.args) <= 3 or any(isinstance(a, ast.Starred) for a in node.args):
            raise self.source.error(
                f"{function}() needs (stop), (start, stop) or (start, stop, step) and got {len(node.args)} arguments",
                self.span(node),
            )
        args = [self.argument(arg, variable) for arg in node.args]
        if len(args) == 1:
            args.insert(0, Number(0))
        population = Range(*args, *[Number(1)] * (3 - len(args)))
        given = [keyword.arg for keyword in node.keywords]
        if function == "range":
            if given:
                raise self.source.error(
                    "range() takes no keywords; a random part of it is sample(...)", self.span(node)
                )
            return population
        if given not in (["p"], ["size"]):
            raise self.source.error(
                "sample() needs either p=... (a probability for each value) or size=... (how many)",
                self.span(node),
            )
        value = self.argument(node.keywords[0].value, variable)
        return Sample(population, p=value) if given == ["p"] else Sample(population, size=value)

    def argument(self, node: ast.expr, variable: str) -> Expr:
        """An argument of range or sample: read once for each outer element, before the loop."""
        expr = self.expr(node)
        if variable in names(expr):
            raise self.source.error(f"the loop variable {variable!r} has no value yet here", self.place(expr, variable))
        self.check_target(expr, f"the range of {variable!r}")
        return expr

    def check_target(self, expr: Expr, what: str) -> None:
        if self.target in names(expr):
            outer = "i" if self.target == "j" else "j"
            raise self.source.error(
                f"{what} cannot depend on {self.target}, which the generator defines; it can read"
                f" {outer} and variables of that side",
                self.place(expr, self.target),
            )

    @staticmethod
    def place(expr: Expr, name: str) -> tuple[int, int]:
        return next(n.span for n in walk(expr) if isinstance(n, Name) and n.id == name)

    def checked(
        self,
        element: Expr,
        variable: str | None,
        values: Range | Sample | None,
        condition: Expr | None,
    ) -> Generator:
        if self.target not in ("i", "j"):
            raise EquationError(f"a generator gives i or j, not {self.target!r}")
        self.check_target(element, "this expression")
        return Generator(self.target, element, variable, values, condition, self.source)
