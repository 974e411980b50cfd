"""Mutants of Python: by the operators of mutmut that fit, and some more.

mutmut makes the small ones: numbers, names, comparisons, arithmetic, assignments. More
come from here: conditions turned round, operands and statements left out, arguments
left out, SQL. Wording is not changed: texts with a blank in them, unless they are SQL.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import libcst as cst
import libcst.matchers as m
from mutant import change_between
from mutant import Mutant
from mutmut.mutation import mutators
from texts import changed_sql

#: What is never looked into: nothing of it runs, or it is no decision.
_PASSED_OVER = (cst.Annotation, cst.Import, cst.ImportFrom, cst.Decorator)
_MADE_FOR_TYPES = m.Subscript(
    value=m.Name("Literal") | m.Name("Callable") | m.Name("tuple")
) | m.Call(func=m.Name("TypeVar"))
_NAMED_NOT_CHANGED = m.Name("len") | m.Name("isinstance") | m.Name("super")


def mutants_of_python(folder: Path, file: str) -> Iterator[Mutant]:
    """Yield the module with one change each."""
    before = (folder / file).read_text()
    module = cst.parse_module(before)
    finder = _Finder()
    module.visit(finder)
    for where, old, new in finder.found:
        after = module.deep_replace(old, new).code
        try:
            compile(after, file, "exec")
        except SyntaxError:
            continue
        yield Mutant(file, where, change_between(before, after), after)


class _Finder(cst.CSTVisitor):
    """Collects what could be replaced by what, and the function it is in."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, cst.CSTNode, cst.CSTNode]] = []
        self._names: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if isinstance(node, _PASSED_OVER) or _is_for_readers(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
        where = ".".join(self._names)
        for kind, operator in _OPERATORS:
            if isinstance(node, kind):
                self.found += [(where, node, new) for new in operator(node)]
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._names.pop()


def _is_for_readers(node: cst.CSTNode) -> bool:
    """Whether it is a docstring, an alias of a type, or says what went wrong."""
    text = m.SimpleString() | m.ConcatenatedString()
    if m.matches(node, m.Expr(text | m.Ellipsis())):
        return True
    if m.matches(node, m.Assign(value=_MADE_FOR_TYPES)):
        return True
    return m.matches(node, m.Arg(text | m.FormattedString())) and _is_wording(node)


def _is_wording(node: cst.CSTNode) -> bool:
    code = cst.Module(()).code_for_node(node)
    return " " in code.strip() and not any(changed_sql(code))


def _text(node: cst.SimpleString) -> Iterable[cst.BaseExpression]:
    if sql := list(changed_sql(node.value)):
        yield from (node.with_changes(value=new) for new in sql)
    elif " " not in node.value:
        yield from list(mutators.operator_string(node))[:1]


def _text_between(node: cst.FormattedStringText) -> Iterable[cst.CSTNode]:
    sql = list(changed_sql(node.value))
    yield from (node.with_changes(value=new) for new in sql)
    if not sql and " " not in node.value:
        yield node.with_changes(value=node.value + "XX")


def _arguments(node: cst.Call) -> Iterable[cst.Call]:
    """None in the place of one, and without one that is named."""
    if m.matches(node.func, _NAMED_NOT_CHANGED):
        return
    for i, arg in enumerate(node.args):
        if _is_for_readers(arg) or m.matches(arg.value, m.Name("None")):
            continue
        if arg.keyword:
            yield node.with_changes(args=[*node.args[:i], *node.args[i + 1 :]])
        elif not arg.star:
            none = arg.with_changes(value=cst.Name("None"))
            yield node.with_changes(args=[*node.args[:i], none, *node.args[i + 1 :]])


def _one_operand(node: cst.BooleanOperation) -> Iterable[cst.BaseExpression]:
    for operand in (node.left, node.right):
        yield operand.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])


def _turned_round(node: cst.If | cst.While | cst.CompIf) -> Iterable[cst.CSTNode]:
    compared = m.Comparison() | m.BooleanOperation() | m.UnaryOperation(m.Not())
    if m.matches(node.test, compared | m.Name("True") | m.Name("TYPE_CHECKING")):
        return
    test = node.test.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    turned = cst.UnaryOperation(cst.Not(), test)
    yield node.with_changes(test=turned)


def _left_out(node: cst.SimpleStatementLine) -> Iterable[cst.CSTNode]:
    if m.matches(node.body[0], m.Expr() | m.Raise() | m.AugAssign()):
        if not _is_for_readers(node.body[0]):
            yield node.with_changes(body=[cst.Pass()])


def _fewer_errors(node: cst.ExceptHandler) -> Iterable[cst.CSTNode]:
    if isinstance(node.type, cst.Tuple):
        elements = node.type.elements
        for i in range(len(elements)):
            fewer = [*elements[:i], *elements[i + 1 :]]
            yield node.with_changes(type=node.type.with_changes(elements=fewer))


def _operator(node: cst.CSTNode) -> Iterable[cst.CSTNode]:
    if not isinstance(node, cst.BooleanOperation):
        yield from mutators.operator_swap_op(node)


Operator = Callable[[Any], Iterable[cst.CSTNode]]
_OPERATORS: list[tuple[type, Operator]] = [
    (cst.BaseNumber, mutators.operator_number),
    (cst.Name, mutators.operator_name),
    (cst.Assign, mutators.operator_assignment),
    (cst.AnnAssign, mutators.operator_assignment),
    (cst.AugAssign, mutators.operator_augmented_assignment),
    (cst.UnaryOperation, mutators.operator_remove_unary_ops),
    (cst.Call, mutators.operator_symmetric_string_methods_swap),
    (cst.Lambda, mutators.operator_lambda),
    (cst.CSTNode, mutators.operator_keywords),
    (cst.CSTNode, _operator),
    (cst.IfExp, mutators.operator_if_exp),
    (cst.SimpleString, _text),
    (cst.FormattedStringText, _text_between),
    (cst.Call, _arguments),
    (cst.BooleanOperation, _one_operand),
    (cst.If, _turned_round),
    (cst.While, _turned_round),
    (cst.CompIf, _turned_round),
    (cst.SimpleStatementLine, _left_out),
    (cst.ExceptHandler, _fewer_errors),
]
