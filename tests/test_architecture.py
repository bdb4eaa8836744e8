"""What holds for every module: layers, kernels without own types, documented units, a light import."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import tokenize
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import networkx as nx
import pytest
from numpydoc.docscrape import NumpyDocString

import owlbus

if TYPE_CHECKING:
    from collections.abc import Callable

PACKAGE = Path(__file__).resolve().parent.parent / "owlbus"

LAYERS = (
    ("common", "kernels"),
    ("grid",),
    ("records",),
    ("demand", "cluster"),
    ("network",),
    ("plan",),
    ("search",),
    ("score", "timetable", "evidence", "evaluate"),
    ("gtfs", "sample", "plot", "report"),
    ("pipeline",),
    ("nightbench",),
    ("explore",),
    ("__init__", "cli"),
    ("__main__",),
)
"""A module may import from the rows above its own, and inside its row from names that stand before it."""

ROOM_ORDER = {
    "kernels": ("jit", "paths", "coverage", "route_cache", "gain_bound", "moves", "anneal"),
    "search": ("objective", "problem", "constraints", "route_evaluator", "annealing_run", "improve", "bound", "driver", "plan_routes"),
    "network": ("assemble", "walk_sheds", "stop_links", "network"),
    "timetable": ("clock", "operation", "schedule", "clock_change", "rider_flows", "headways", "build"),
    "pipeline": ("study", "request", "plan_run", "trials"),
    "cli": ("process", "output", "options", "session", "app"),
}
"""Modules of a room whose order matters: when it is loaded, one may import only from those that stand before it."""

DEFERRED_CIRCLES = {
    ("demand.parquet", "demand.table"): "Demand.read and Demand.write hand their work to the module of the file format",
    (
        "network.from_gtfs",
        "network.from_osm",
        "network.network",
    ): "Network.from_gtfs and its like hand their work to the module of their source",
}
"""Modules that import each other inside functions, and why."""

SHARED_NAMES = {
    "compare": "a command and its stage",
    "explain": "a command and its stage",
    "improve": "a command and its stage",
    "network": "a command, and the type that names its room",
    "score": "a command and its stage",
    "sweep": "a command and its stage",
    "check": "of a network, of a plan",
    "read": "a plan, a feed",
    "settings": "of the sample city, of a feed",
    "write": "records of the sample city, a feed",
}
"""File names that stand in two rooms, and what for."""

RANK = {name: rank for rank, name in enumerate(name for row in LAYERS for name in row)}
HEAVY = (
    "geopandas",
    "h3",
    "highspy",
    "matplotlib",
    "networkx",
    "numba",
    "pandas",
    "polars",
    "pyarrow",
    "pyogrio",
    "pyproj",
    "scipy",
    "shapely",
)
KERNEL_MAY_IMPORT = {"__future__", "collections", "typing", "math", "numpy", "numba", "owlbus"}
NAMED_UNIT = re.compile(r"^n_\w+$|(^|_)(s|m|km|kmh|share|trips|deg|lon|lat|dpi)$")
UNIT = re.compile(
    r"\b(seconds?|metres?|kilometres?|km/h|degrees?|lon/lat|hours?|minutes?|nights?|trips?|people|buses|bytes|pixels|shares?|"
    r"dimensionless|1/1024|0 to 1|0 or 1|ind(ex|ices)|axial coordinates|H3 resolution|exit code|seed)\b|\[0, 1\]",
    re.IGNORECASE,
)
COUNTED = re.compile(r"^(Moves|Stops|Hexes|Routes|Rows|Iterations|Riders|Places)\b|^(Hex|Row|Stop)s? (of|that) ")
"""A number is a quantity with a unit, an index, or a count: then its description begins with what is counted."""

SHAPE = re.compile(r"\b(shape|length|an index or an array)\b|\(\w[\w +]*,( ?[\w +]+)?\)")
"""`of shape (n, 2)`, or `int32 (S,)` for short."""

NO_CODE = {getattr(tokenize, name) for name in ("COMMENT", "NL", "NEWLINE", "INDENT", "DEDENT", "ENCODING", "ENDMARKER")}
CODE_LINES = 300
BODY_LINES = 30
KERNEL_LINES = 150
"""Code lines at the most: of a module, of a function's body, and of a kernel's, which is one loop nest and compiles worse in pieces."""


@cache
def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def dotted(path: Path) -> str:
    """Return `search.greedy` for `owlbus/search/greedy.py`, and `search` for the package itself."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)


@cache
def known_names() -> set[str]:
    return {dotted(path) for path in modules()}


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(tree: ast.AST) -> set[str]:
    """Dotted names of every module imported anywhere in the tree, inside functions too; `owlbus.x` as `owlbus.x`."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"relative import in line {node.lineno}: write the full name"
            found.add(node.module or "")
            if node.module == "owlbus" or (node.module or "").startswith("owlbus."):
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def own_imports(tree: ast.AST) -> set[str]:
    """Own modules imported anywhere, without the leading `owlbus.`."""
    return {name.removeprefix("owlbus.") for name in imported(tree) if name.startswith("owlbus.")} & known_names()


def test_every_module_has_a_layer() -> None:
    assert {dotted(path).partition(".")[0] for path in modules()} <= set(RANK)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_modules_import_only_from_lower_layers(path: Path) -> None:
    home = dotted(path).partition(".")[0]
    for name in own_imports(parse(path)):
        target = name.partition(".")[0]
        if home in {target, "__init__"}:
            continue
        assert RANK[target] < RANK[home], f"{dotted(path)} imports {name}, which lies above it"


@pytest.mark.parametrize("room", sorted(ROOM_ORDER))
def test_modules_of_a_room_keep_its_order(room: str) -> None:
    order = [f"{room}.{name}" for name in ROOM_ORDER[room]]
    for rank, name in enumerate(order):
        later = imports_by_time(PACKAGE / f"{name.replace('.', '/')}.py")[0] & set(order[rank:])
        assert not later, f"{name} imports {sorted(later)}, which come after it"


def test_only_the_command_line_takes_names_from_the_top() -> None:
    """Below the top, `from owlbus import x` names a module; a public name of the top would pull the whole chain in."""
    known = {dotted(path) for path in modules()}
    for path in modules():
        tops = [node for node in ast.walk(parse(path)) if isinstance(node, ast.ImportFrom) and node.module == "owlbus"]
        if dotted(path).partition(".")[0] not in {"cli", "__main__"}:
            assert {alias.name for node in tops for alias in node.names} <= known, dotted(path)


def imports_by_time(path: Path) -> tuple[set[str], set[str]]:
    """Own modules that a module imports when it is loaded, and those that its functions import when they run."""
    tree = parse(path)
    at_load = ast.Module([node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)], [])
    for_types = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    types = ast.Module(for_types, [])
    everything = ast.Module([node for node in tree.body if node not in for_types], [])
    own = {dotted(path), dotted(path).rpartition(".")[0]}
    return own_imports(at_load) - own, (own_imports(everything) | (own_imports(types) & own_imports(everything))) - own


def circles(graph: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Groups of modules that import each other, each in the order of the alphabet."""
    return sorted(tuple(sorted(group)) for group in nx.strongly_connected_components(nx.DiGraph(graph)) if len(group) > 1)


def test_what_modules_load_at_import_has_no_circle() -> None:
    assert circles({dotted(path): imports_by_time(path)[0] for path in modules()}) == []


def test_circles_of_imports_in_functions_are_the_known_ones() -> None:
    """A deferred import may look back inside its room where a method hands its work to another module; each has its reason."""
    assert circles({dotted(path): imports_by_time(path)[1] for path in modules()}) == sorted(DEFERRED_CIRCLES)


def test_modules_share_no_name_but_the_known_ones() -> None:
    """One guess finds a module: only a command and its stage, or the same step of two rooms, go by one name."""
    names = Counter(path.stem for path in modules() if not path.stem.startswith("__"))
    assert {name for name, count in names.items() if count > 1} == set(SHARED_NAMES)
    assert sum(count for count in names.values() if count > 1) <= 20


def test_every_row_of_the_layers_names_rooms_that_exist() -> None:
    assert set(RANK) == {dotted(path).partition(".")[0] for path in modules()}


@pytest.mark.parametrize(
    "path", [p for p in modules() if p.parent.name == "kernels" and p.stem not in {"jit", "__main__"}], ids=lambda path: path.stem
)
def test_kernels_have_no_own_types_and_no_input_or_output(path: Path) -> None:
    tree = parse(path)
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    assert {base.id for node in classes for base in node.bases if isinstance(base, ast.Name)} <= {"NamedTuple"}
    assert all(node.bases for node in classes), "only a NamedTuple of arrays, which numba takes as a plain tuple"
    assert {name.partition(".")[0] for name in imported(tree)} <= KERNEL_MAY_IMPORT
    assert {name.partition(".")[0] for name in own_imports(tree)} <= {"kernels"}
    called = {node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    assert not called & {"open", "print", "input", "exec", "eval"}


def code_lines(path: Path) -> set[int]:
    """Numbers of the lines that hold code: blank lines, comments and docstrings are none."""
    found: set[int] = set()
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type not in NO_CODE:
                found |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            found -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return found


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_modules_and_functions_stay_short_enough_to_read(path: Path) -> None:
    """A signature does not count: that of a command is its list of options, one a line."""
    code = code_lines(path)
    assert len(code) <= CODE_LINES, f"{dotted(path)} has {len(code)} lines of code; divide it"
    most = KERNEL_LINES if path.parent.name == "kernels" else BODY_LINES
    for node in ast.walk(parse(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = len(code & set(range(node.body[0].lineno, (node.end_lineno or node.lineno) + 1)))
            assert lines <= most, f"{dotted(path)}.{node.name} has {lines} lines of code; divide it"


def test_lines_of_code_are_those_that_do_something(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    path.write_text(
        '"""Two\nlines."""\n\n# a comment\nx = (  # why\n    1,\n)\n\n\ndef f() -> str:\n    """Say."""\n    return """a\n\nb"""\n'
    )
    assert code_lines(path) == {5, 6, 7, 10, 12, 13, 14}


def public_callables() -> list[tuple[str, Callable[..., object]]]:
    """Public functions, and the public methods and properties of public classes, with their names."""
    import owlbus

    found: list[tuple[str, Callable[..., object]]] = []
    for name in owlbus.__all__:
        thing = getattr(owlbus, name)
        if inspect.isfunction(thing):
            found.append((name, thing))
        if inspect.isclass(thing):
            for method, value in vars(thing).items():
                function = getattr(value, "fget", None) or getattr(value, "__func__", value)
                if inspect.isfunction(function) and not method.startswith("_"):
                    found.append((f"{name}.{method}", function))
    return found


PUBLIC = public_callables()
DOCUMENTED = sorted(
    {**dict(PUBLIC), **{name: getattr(owlbus, name) for name in owlbus.__all__ if inspect.isclass(getattr(owlbus, name))}}.items()
)


def is_number(annotation: object) -> bool:
    """Tell whether an annotation, as written, speaks of plain numbers or arrays of them."""
    return bool(re.search(r"\b(int|float|NDArray|ndarray|ArrayLike)\b", str(annotation))) and "np.str_" not in str(annotation)


def is_array(annotation: object) -> bool:
    """Tell whether an annotation, as written, speaks of arrays; `Floats` and `Ints` are names of theirs."""
    return bool(re.search(r"\b(NDArray|ndarray|ArrayLike|Floats|Ints|Points)\b", str(annotation)))


def numbers_without_unit(name: str, thing: object) -> list[str]:
    """Parameters, fields and results of plain numbers whose own description tells neither a unit nor what is counted."""
    page = NumpyDocString(inspect.getdoc(thing) or "")
    told = {
        part.strip(): " ".join(row.desc)
        for section in ("Parameters", "Attributes")
        for row in page[section]
        for part in row.name.split(",")
    }
    summary = " ".join(page["Summary"] + page["Extended Summary"])
    told["return"] = " ".join([summary, *(line for row in page["Returns"] for line in row.desc)])
    missing = []
    for field, kind in inspect.get_annotations(thing).items():  # type: ignore[arg-type]
        text = told.get(field, summary)
        named = NAMED_UNIT.search(name.rpartition(".")[2] if field == "return" else field)
        if is_number(kind) and not field.startswith("_") and not (named or UNIT.search(text) or COUNTED.search(text)):
            missing.append(f"{name}: {field}")
    return missing


@pytest.mark.parametrize(("name", "thing"), DOCUMENTED, ids=[name for name, _ in DOCUMENTED])
def test_every_number_in_the_public_api_names_its_unit(name: str, thing: object) -> None:
    assert numbers_without_unit(name, thing) == []


def test_a_number_of_unknown_unit_is_found() -> None:
    def speed(length_m: float, number: float, width: int) -> float:
        """
        A number of rows, steps and units.

        Parameters
        ----------
        length_m
            How long.
        number
            The number, in units.
        width
            Shape of the rows.

        Returns
        -------
        float
            The count.
        """
        return length_m * number * width

    assert numbers_without_unit("speed", speed) == ["speed: number", "speed: width", "speed: return"]


@pytest.mark.parametrize("name", sorted(name for name in __import__("owlbus").__all__ if name[0].isalpha()))
def test_every_array_in_the_public_api_names_its_shape(name: str) -> None:
    import owlbus

    thing = getattr(owlbus, name)
    for part in [thing, *(function for full, function in PUBLIC if full.startswith(f"{name}."))]:
        arrays = [kind for field, kind in inspect.get_annotations(part).items() if is_array(kind) and not field.startswith("_")]
        assert not arrays or SHAPE.search(inspect.getdoc(part) or ""), f"{part.__qualname__} takes or returns {arrays} of unknown shape"


@pytest.mark.parametrize(("name", "function"), PUBLIC, ids=[name for name, _ in PUBLIC])
def test_every_public_docstring_names_its_parameters(name: str, function: Callable[..., object]) -> None:
    """With one parameter the sentence says what it is; with more each of them is named."""
    text = inspect.getdoc(function) or ""
    names = set(inspect.signature(function).parameters) - {"self", "cls"}
    assert len(names) == 1 or [arg for arg in names if not re.search(rf"\b{arg}\b", text)] == [], name


@pytest.mark.parametrize("name", sorted(name for name in __import__("owlbus").__all__ if name[0].isalpha()))
def test_every_public_name_says_what_it_raises_or_cannot_raise(name: str) -> None:
    """A public function that raises one of our errors in its own body says so."""
    import owlbus

    thing = getattr(owlbus, name)
    if inspect.isfunction(thing) and re.search(r"raise (Data|Usage|Infeasible|Privacy|Finding)Error", inspect.getsource(thing)):
        assert "Raises" in (thing.__doc__ or "")


COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3}){1,2}\b")
SHEETS = sorted(file for file in PACKAGE.rglob("*") if file.suffix in {".py", ".css", ".js", ".j2"} and not file.name.startswith("leaflet"))


@pytest.mark.parametrize("path", SHEETS, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_every_colour_stands_in_the_palette(path: Path) -> None:
    found = set(COLOUR.findall(path.read_text(encoding="utf-8")))
    assert bool(found) == (path == PACKAGE / "common" / "palette.py"), found


def test_importing_owlbus_loads_no_heavy_library() -> None:
    code = f"import sys, owlbus; print([m for m in {HEAVY!r} + ('numpy', 'rich', 'typer') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_the_help_page_loads_no_heavy_library() -> None:
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print('LOADED', [m for m in {HEAVY!r} if m in sys.modules]))\n"
        "sys.argv = ['owlbus', '--help']\nfrom owlbus.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("LOADED []")


def test_type_checkers_see_the_public_names() -> None:
    import owlbus

    tree = parse(PACKAGE / "__init__.py")
    seen = {alias.asname for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names if alias.asname}
    assert seen == set(owlbus.__all__) - {"__version__"}


def test_every_public_name_can_be_loaded() -> None:
    import owlbus

    assert [name for name in owlbus.__all__ if getattr(owlbus, name) is None] == []
    assert set(owlbus.__all__) <= set(dir(owlbus))


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    import owlbus

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = owlbus.nothing


ORDER = ("path", "study", "network", "link_s", "demand", "presence", "plan", "timetable")
"""Things that public functions take, in the one order that all of them name these in; settings follow."""


def test_public_functions_take_network_demand_and_plan_in_one_order():
    import owlbus

    functions = {name: thing for name in owlbus.__all__ if inspect.isfunction(thing := getattr(owlbus, name))}
    assert {"score_plan", "build_timetable", "rider_service", "draw_map"} <= functions.keys()
    for name, function in functions.items():
        taken = list(inspect.signature(function).parameters)
        known = [ORDER.index(each) for each in taken if each in ORDER]
        assert known == sorted(known), name
        assert all(each in ORDER for each in taken[: len(known)]), f"{name}: settings come last"
