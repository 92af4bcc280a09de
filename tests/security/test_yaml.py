"""Collection YAML from anywhere: a collection that can be written again, or the one error that names the file."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ct_assets.collection import Collection, load_collection
from ct_assets.store.digest import json_digest
from ct_assets.yaml_file import MOST_BYTES
from ct_assets.yaml_model import CollectionError
from tests.security.fuzzing import damaged_bytes, fuzz

REPOSITORY = Path(__file__).resolve().parents[2]
COLLECTIONS = [path.read_bytes() for path in sorted((REPOSITORY / "collections").glob("*.yaml"))]
LONGEST_MESSAGE = 10_000

TOKENS = [
    *(
        "!!python/object/apply:os.system [ls]",
        "!!python/name:os.system",
        "!!int ",
        "!!bool ",
        "!!float ",
        "!!timestamp ",
    ),
    *("!!binary ", "!!set ", "!!omap ", "!!pairs ", "!!str ", "!!null ", "!own ", "!<x> ", "%YAML 9.9\n", "%TAG ! !\n"),
    *(
        "&a ",
        "*a",
        "&b ",
        "*b",
        "<<: ",
        "<<: *a\n",
        "? ",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ", ",
        "|\n",
        ">-\n",
        "---\n",
        "...\n",
    ),
    *(
        "'",
        '"',
        "#",
        "\n",
        "\n  ",
        "\n    ",
        "\t",
        "\0",
        "\\ud800",
        "\\0",
        '"\\ud800"',
        "\ufeff",
        "\u2028",
        "٣",
        "\x85",
    ),
    *(
        "2024-13-45",
        "0x" + "f" * 5000,
        "9" * 5000,
        "1:2:99999",
        ".inf",
        ".nan",
        "1e999",
        "0b",
        "0o8",
        "~",
        "on",
        "null",
    ),
]
"""What YAML gives a meaning to."""

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=5)
    | st.sampled_from([10**30, -(10**400), "../../etc", "${HOME}", "x" * 5000, "auto", "2d", "heart", "demo"])
    | st.dates(),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(
        st.text(max_size=8) | st.integers() | st.sampled_from(["heart", "2d", "kind", "profile"]), inner, max_size=4
    ),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("yaml") / "demo.yaml"


def _load(path: Path) -> Collection | None:
    """Return the collection, or None for the documented error."""
    try:
        collection = load_collection(path)
    except CollectionError as error:
        assert str(error).startswith(f"{path}: ")
        assert len(str(error).encode()) < LONGEST_MESSAGE, "it can be shown"
        return None
    assert json_digest(collection.model_dump(mode="json"))
    return collection


@fuzz(100)
@given(data=st.data())
def test_a_damaged_collection_is_a_collection_or_an_error_that_names_the_file(path, data):
    tokens = [token.encode() for token in TOKENS]
    path.write_bytes(damaged_bytes(data, data.draw(st.sampled_from(COLLECTIONS)), tokens))
    _load(path)


@fuzz(100)
@given(tokens=st.lists(st.sampled_from(TOKENS) | st.text(max_size=5), max_size=15))
def test_any_yaml_is_an_error_that_names_the_file(path, tokens):
    path.write_bytes("".join(tokens).encode(errors="surrogatepass"))
    assert _load(path) is None


@fuzz(100)
@given(data=st.data())
def test_any_value_at_any_key_is_taken_or_an_error_that_names_the_file(path, data):
    content = yaml.safe_load(data.draw(st.sampled_from(COLLECTIONS)))
    for field in data.draw(st.lists(st.sampled_from(sorted(Collection.model_fields)), max_size=2)):
        content[field] = data.draw(VALUES)
    holder = content
    while True:
        key = data.draw(st.sampled_from(sorted(holder, key=str)) | st.text(max_size=5))
        inner = holder.get(key)
        if not isinstance(inner, dict) or not inner or data.draw(st.booleans()):
            break
        holder = inner
    holder[key] = data.draw(VALUES)
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8", errors="surrogatepass")
    _load(path)


LAUGHS = "\n".join(
    ["a0: &a0 {k: 1}", *(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 10)}]}}" for i in range(1, 10))]
)


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [*a]",
        "[" * 50_000,
        "\n".join(" " * depth + "a:" for depth in range(500)),
        "- " * 100_000,
        "a: 2024-13-45",
        "a: !!timestamp x",
        "a: !!bool x",
        "a: !!int ''",
        "a: " + "9" * 5000,
        "shards: 0x" + "f" * 5000,
        '"\\ud800": 1',
        'title: "\\ud800"',
        'title: "\\0"',
        "!!python/object/apply:os.system [ls]",
        "x" * (MOST_BYTES + 1),
        "? " * 1000,
        "source: {kind: " + "x" * 20_000 + "}",
        f"{'x' * 100_000}: 1",
        "qc: {dice_minimum: {" + ", ".join(f"k{number}: x" for number in range(4000)) + "}}",
    ],
)  # fmt: skip
def test_hostile_yaml_is_refused(path, text):
    whole = text.startswith(("shards", "qc", "title", "source"))
    path.write_bytes((COLLECTIONS[0] + b"\n" if whole else b"") + text.encode())
    assert _load(path) is None


@pytest.mark.parametrize("text", [LAUGHS, LAUGHS.replace("{<<: [", "[").replace("]}", "]")])
def test_aliases_of_aliases_that_stand_for_billions_are_refused_in_little_memory(path, text):
    path.write_text(text)
    tracemalloc.start()
    try:
        assert _load(path) is None
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_few_aliases_are_welcome(path):
    path.write_bytes(COLLECTIONS[0] + b"\nqc: {volume_ml: {heart: &range [1, 2], aorta: *range}}\n")
    collection = _load(path)
    assert collection is not None
    assert collection.qc.volume_ml["aorta"] == (1, 2)


def test_a_file_that_never_ends_is_read_no_further_than_a_collection_goes(path):
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")
    assert _load(path) is None
    path.unlink()
