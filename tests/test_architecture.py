"""The laws of the floor plan, held by parsing the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import flask_stepup

PACKAGE = Path(flask_stepup.__file__).parent
#: From the ground up. A part imports from layers below its own, and a folder is one
#: part: what is in it may import what is in it, without a cycle.
LAYERS = [
    ["current"],
    [
        "errors",
        "signals",
        "records",
        "deadline",
        "proofs",
        "client",
        "decoration",
        "hosts",
        "legible",
        "field_order",
        "secret_fields",
        "shapes",
    ],
    [
        "policy_fields",
        "failed_attempt",
        "pem",
        "cross_site",
        "verification",
        "signing",
        "session_state",
        "approvable",
        "look_up",
        "languages",
    ],
    ["policy", "binding", "way_back", "reason", "spans", "setting_values"],
    ["problem", "demand", "ledger", "clerk", "subject", "bearer"],
    ["problem_table", "settings", "marker", "verifiers", "session_token", "action"],
    [
        "answer",
        "problems",
        "keeping",
        "inquiry",
        "assessment",
        "clerk_session",
        "required",
        "admission",
        "suspension",
    ],
    ["elevation", "approvals", "passing", "challenge_value"],
    ["gate", "loaders"],
    ["reservation", "code_use", "assembly", "app_gate"],
    ["attempt", "challenge", "companions", "arrival", "status"],
    ["unmet", "pages", "answerable"],
    ["sign_in"],
    ["refusal"],
    ["guard", "verify"],
    ["prompt"],
    ["sandbox"],
    ["cli", "extension", "testing"],
    ["__init__"],
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
#: Third-party libraries, and the one part that imports each.
IMPORTERS = {
    "itsdangerous": {"signing"},
    "httpx": {"clerk"},
    "httpcore": {"clerk"},
    "blinker": {"signals"},
    "flask_login": {"subject"},
    "click": {"cli"},
    "pyotp": {"sandbox", "verifiers"},
    "jwt": {"session_token", "sandbox"},
    "cryptography": {"sandbox"},
    "segno": {"cli"},
    "redis": {"ledger"},
    "flask_babel": {"languages"},
    "pytest": {"testing"},
    "time_machine": {"testing"},
}
OUR_GROUND = {"flask", "werkzeug", "jinja2", "flask_stepup", "_typeshed"}
OPTIONAL = {
    "flask_login",
    "pyotp",
    "segno",
    "jwt",
    "cryptography",
    "redis",
    "flask_babel",
    "pytest",
    "time_machine",
}
WITHOUT_FLASK = {
    "decoration",
    "records",
    "failed_attempt",
    "shapes",
    "deadline",
    "approvable",
    "legible",
    "proofs",
    "policy_fields",
    "policy",
    "demand",
    "signing",
    "session_token",
    "ledger",
    "clerk",
    "marker",
    "verifiers",
    "verification",
}
FOR_DEVELOPERS = {"sandbox", "cli", "testing"}


def modules() -> Iterator[tuple[str, Path, ast.Module]]:
    """Every module, with the part that it belongs to."""
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        yield part, path, ast.parse(path.read_text())


def imports(path: Path, tree: ast.AST) -> Iterator[tuple[ast.stmt, str]]:
    """Every import, wherever it stands, by its absolute name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node, alias.name
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node, node.module or ""
        elif isinstance(node, ast.ImportFrom):
            package = path.relative_to(PACKAGE.parent).parts[: -node.level]
            names = [node.module] if node.module else [a.name for a in node.names]
            for name in names:
                yield node, ".".join((*package, name))


def test_every_part_has_its_layer() -> None:
    """A new part is put somewhere in the floor plan, and an old one taken out."""
    assert set(LAYER) == {part for part, _, _ in modules()}


def test_imports_go_strictly_down() -> None:
    """Never up, never sideways, late imports and type checking included."""
    wrong = []
    for part, path, tree in modules():
        for _, name in imports(path, tree):
            top, _, rest = name.partition(".")
            other = rest.partition(".")[0]
            if top == "flask_stepup" and other != part:
                if not other or LAYER[other] >= LAYER[part]:
                    wrong.append(f"{path.name} imports {name}")

    assert wrong == []


def test_no_folder_imports_in_circles() -> None:
    """Inside a folder too each module only uses those that do not use it."""
    edges: dict[str, set[str]] = {}
    for _, path, tree in modules():
        here = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        edges[here] = {name for _, name in imports(path, tree)}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a circle: {' > '.join((*above, name))}"
        for other in edges.get(name, set()) - done:
            visit(other, (*above, name))
        done.add(name)

    for name in edges:
        visit(name, ())


def test_each_library_has_one_importer() -> None:
    """To replace a library is to change one part."""
    wrong = []
    for part, path, tree in modules():
        for _, name in imports(path, tree):
            top = name.partition(".")[0]
            if top in OUR_GROUND | sys.stdlib_module_names:
                continue
            if part not in IMPORTERS.get(top, set()):
                wrong.append(f"{path.name} imports {name}")

    assert wrong == []


def test_optional_libraries_are_imported_only_when_used() -> None:
    """By no module that is loaded with the package, if not inside of a function."""
    at_once = {}
    for _, path, tree in modules():
        here = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
        at_once[here.removesuffix(".__init__")] = {
            name for node, name in imports(path, tree) if node in tree.body
        }
    loaded: set[str] = set()

    def load(name: str) -> None:
        if name in at_once and name not in loaded:
            loaded.add(name)
            for other in at_once[name]:
                load(other)

    load("flask_stepup")
    # It comes with the default ledger, though in a function.
    load("flask_stepup.ledger.sqlite")
    wrong = [
        f"{name} imports {other}"
        for name in sorted(loaded)
        for other in at_once[name]
        if other.partition(".")[0] in OPTIONAL
    ]

    assert wrong == []
    assert {"flask_stepup.extension", "flask_stepup.ledger.sqlite.ledger"} <= loaded


def test_importing_the_package_loads_no_optional_library() -> None:
    """Nor the sandbox, the command line, the test kit, or any kind of ledger."""
    program = "import sys, flask_stepup; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "flask_stepup.extension" in loaded
    assert not OPTIONAL & set(loaded)
    assert not [m for m in loaded if m.startswith("flask_stepup.sandbox")]
    assert "flask_stepup.cli" not in loaded
    assert "flask_stepup.testing" not in loaded
    assert not {"flask_stepup.ledger.sqlite", "sqlite3"} & set(loaded)


def test_the_http_client_is_loaded_with_a_key() -> None:
    """Who checks codes by other means does without it."""
    program = """if True:
        import sys
        from flask import Flask
        from flask_stepup import StepUp, TOTPVerifier
        app = Flask("bank")
        app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
        StepUp(app, verifier=lambda *_: None, subject_loader=lambda: None)
        print("httpx" in sys.modules)
        app = Flask("bank")
        app.config.update(SECRET_KEY="k" * 32, STEPUP_STORAGE_URI="memory://")
        app.config["STEPUP_CLERK_SECRET_KEY"] = "sk_test_x"
        StepUp(app, subject_loader=lambda: None)
        print("httpx" in sys.modules)
    """
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == ["False", "True"]


def test_the_pure_parts_know_nothing_of_flask() -> None:
    """What can be thought through without a web framework is."""
    wrong = [
        f"{path.name} imports {name}"
        for part, path, tree in modules()
        if part in WITHOUT_FLASK
        for _, name in imports(path, tree)
        if name.partition(".")[0] in {"flask", "flask_login"}
    ]

    assert wrong == []


def test_functions_and_files_stay_readable() -> None:
    """A function has 8 lines at the median and 40 at most; a file about 150."""
    sizes, long = [], []
    for part, path, tree in modules():
        lines = path.read_text().count("\n")
        if lines > 210:
            long.append(f"{path.name}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno
                doc = ast.get_docstring(node, clean=False)
                size = node.end_lineno - node.lineno + 1
                size -= doc.count("\n") + 1 if doc is not None else 0
                if part not in FOR_DEVELOPERS:
                    sizes.append(size)
                if size > 40:
                    long.append(f"{path.name} {node.name}: {size} lines")

    assert long == []
    assert sorted(sizes)[len(sizes) // 2] <= 8


def test_everything_is_annotated_and_says_what_it_is() -> None:
    """Every function has its types; every module, class and public function a word."""
    wrong = []
    for _, path, tree in modules():
        if not ast.get_docstring(tree):
            wrong.append(path.name)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args]
                missing = [a.arg for a in arguments if not a.annotation]
                if set(missing) - {"self", "cls"} or not node.returns:
                    wrong.append(f"{path.name} {node.name}")

    assert wrong == []
    assert (PACKAGE / "py.typed").exists()
