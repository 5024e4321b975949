"""Makes the mutants of one part of the verifier: each one small mistake, as mutmut's operators make them."""

import json
import sys
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

import libcst as cst
from libcst.matchers import Name, matches
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

WORDS: Final = {"Wrong": 1, "find": 2, "_find": 2, "_advance": 1, "_say": 0, "BadZipFile": 0}
"""From which argument on a call is in words for people, by the name of what is called."""
NAMED: Final = {"help", "metavar", "description"}
"""Arguments that are in words, whatever is called."""


@dataclass(frozen=True)
class Mutant:
    """One mistake in a function, or in a statement beside them."""

    part: str
    function: str
    """Empty beside functions."""
    lines: range
    """Which lines of the true source a test has to execute to notice it."""
    line: str
    mutant: str
    source: str
    """The function with the mistake in it, or the whole part."""

    @property
    def place(self) -> str:
        return f"{self.part}.{self.function}" if self.function else self.part

    @property
    def id(self) -> str:
        return f"{self.place}: {self.line} => {self.mutant}"

    def __str__(self) -> str:
        """Return how it is listed."""
        return f"{json.dumps([self.place, self.line, self.mutant], ensure_ascii=False)},"

    def install(self) -> None:
        """Put it in the place of what is true, in this process."""
        module = sys.modules[f"service.audit.{self.part}"]
        if not self.function:
            _rebind(module, self.source)
            return
        held = dict(vars(module))
        owner, _, name = self.function.rpartition(".")
        text = f"class {owner}:\n{textwrap.indent(self.source, '    ')}" if owner else self.source
        exec("from __future__ import annotations\n" + text, held)
        made = vars(held[owner])[name] if owner else held[name]
        true = _function(vars(getattr(module, owner))[name] if owner else getattr(module, name))
        true.__code__ = _like(made.__code__, true.__code__)
        true.__defaults__, true.__kwdefaults__ = made.__defaults__, made.__kwdefaults__


def _like(made: CodeType, true: CodeType) -> CodeType:
    if made.co_freevars != true.co_freevars:
        raise TypeError("a mutant that closes over something else")
    return made


def _function(held: Any) -> FunctionType:
    """Return the function beneath a property, a class method, or a decorator."""
    for inner in ("fget", "__func__", "__wrapped__"):
        held = getattr(held, inner, None) or held
    return held  # type: ignore[no-any-return]


def _rebind(module: ModuleType, source: str) -> None:
    """Give the constants of a module the values that they have in `source`, wherever they were imported."""
    made: dict[str, Any] = {"__name__": module.__name__}
    sys.modules.setdefault(module.__name__, module)
    exec(source, made)
    for name, value in list(vars(module).items()):
        if name.startswith("__") or callable(value) or isinstance(value, ModuleType) or name not in made:
            continue
        for other in list(sys.modules.values()):
            if getattr(other, "__dict__", {}).get(name) is value:
                setattr(other, name, made[name])


def mutants_of(part: str, source: str) -> Iterator[Mutant]:
    """Yield the mutants of a part in the order of its lines."""
    seen: Counter[str] = Counter()
    wrapper = MetadataWrapper(cst.parse_module(source))
    visitor = _Visitor(part, wrapper.module)
    wrapper.visit(visitor)
    for mutant in visitor.mutants:
        seen[mutant.id] += 1
        again = seen[mutant.id] - 1
        yield replace(mutant, mutant=f"{mutant.mutant} (again: {again})") if again else mutant


class _Visitor(cst.CSTVisitor):
    METADATA_DEPENDENCIES = (PositionProvider,)

    def __init__(self, part: str, module: cst.Module) -> None:
        super().__init__()
        self.mutants: list[Mutant] = []
        self._part, self._module = part, module
        self._within: list[cst.CSTNode] = []
        self._statements: list[cst.CSTNode] = []
        self._words: set[cst.CSTNode] = set()

    def on_visit(self, node: cst.CSTNode) -> bool:
        if node in self._words or isinstance(node, cst.Annotation | cst.Decorator | cst.Import | cst.ImportFrom):
            return False
        if isinstance(node, cst.Assign) and matches(node.targets[0].target, Name("words")):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._within.append(node)
        if isinstance(node, cst.BaseStatement):
            self._statements.append(node)
        if isinstance(node, cst.Call):
            self._words.update(_words_in(node))
        for kind, operator in mutation_operators:
            if isinstance(node, kind):
                for mutated in operator(node):
                    self._add(node, mutated)
        return True

    def on_leave(self, node: cst.CSTNode) -> None:
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._within.pop()
        if isinstance(node, cst.BaseStatement):
            self._statements.pop()

    def _add(self, node: cst.CSTNode, mutated: cst.CSTNode) -> None:
        if isinstance(node, cst.Call) and isinstance(mutated, cst.Call) and _only_words(node, mutated):
            return
        functions = [place for place, each in enumerate(self._within) if isinstance(each, cst.FunctionDef)]
        if self._within and not functions:
            return  # the fields of a class: they have no value, or one for people
        owner = self._within[functions[0]] if functions else self._module
        name = ".".join(each.name.value for each in self._within[: functions[0] + 1]) if functions else ""
        changed = owner.deep_replace(node, mutated)
        if isinstance(owner, cst.FunctionDef):
            owner = owner.with_changes(decorators=[])
            changed = changed.with_changes(decorators=[])
        was, now = self._module.code_for_node(owner), self._module.code_for_node(changed)
        span = self.get_metadata(PositionProvider, self._statements[-1] if functions else self._module)
        lines = range(span.start.line, span.end.line + 1)
        self.mutants.append(Mutant(self._part, name, lines, *_difference(was, now), textwrap.dedent(now)))


def _difference(was: str, now: str) -> tuple[str, str]:
    """Return what stands in the lines that are not the same."""
    before, after = was.splitlines(), now.splitlines()
    for end in (0, -1):
        while before and after and before[end] == after[end]:
            del before[end], after[end]
    return " ".join(map(str.strip, before)), " ".join(map(str.strip, after))


def _words_in(call: cst.Call) -> list[cst.CSTNode]:
    return [arg for place, arg in enumerate(call.args) if _is_words(call, place)]


def _only_words(call: cst.Call, mutated: cst.Call) -> bool:
    """Tell whether all arguments are the same but for those in words."""
    was, now = ([arg for place, arg in enumerate(each.args) if not _is_words(each, place)] for each in (call, mutated))
    return was == now and mutated.func is call.func


def _is_words(call: cst.Call, place: int) -> bool:
    name, keyword = call.func.attr if isinstance(call.func, cst.Attribute) else call.func, call.args[place].keyword
    if keyword is not None:
        return keyword.value in NAMED
    return isinstance(name, cst.Name) and place >= WORDS.get(name.value, len(call.args))
