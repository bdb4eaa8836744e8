"""Names of stops in Latin letters beside the local ones, and the name that a reader of a language sees."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from owlbus.network.network import Network

LATIN_COLUMNS = (
    "name_latin",
    "name_en",
    "name:en",
    "name:latin",
    "int_name",
    "name_int",
    "latin_name",
    "english_name",
    "stop_name_latin",
    "stop_name_en",
    "stop_name:en",
)
"""Usual names of a column of names in Latin letters, best first."""

_LANGUAGE_OF_SCRIPT = {"HANGUL": "ko", "HIRAGANA": "ja", "KATAKANA": "ja", "THAI": "th", "GREEK": "el", "HEBREW": "he"}

_LATIN_TAGS = ("name:en", "int_name", "name:latin", "name:ja_rm", "name:zh_pinyin")
_LATIN_LANGUAGES = ("en", "-latn")
_LOCAL_LANGUAGES = frozenset({"ko"})


def latin_tag(tags: Mapping[str, str]) -> str:
    """
    Name in Latin letters of an OpenStreetMap object.

    Parameters
    ----------
    tags
        Its tags: ``name:en``, ``int_name``, or a name in a Latin script such as ``name:ko-Latn``.

    Returns
    -------
    str
        Empty without such a tag, or if the name itself is the same.

    Examples
    --------
    >>> latin_tag({"name": "서울역", "name:ko-Latn": "Seoullyeok"})
    'Seoullyeok'
    """
    scripts = sorted(key for key in tags if key.startswith("name:") and key.lower().endswith("-latn"))
    found = next((tags[key] for key in (*_LATIN_TAGS, *scripts) if tags.get(key)), "")
    return "" if found == tags.get("name") else found


def latin_rank(language: str) -> int | None:
    """
    Rank of a language code among those that are written in Latin letters for foreigners, lower is better.

    Parameters
    ----------
    language
        BCP 47 code, such as ``en-GB`` or ``ja-Latn``.

    Returns
    -------
    int or None
        None for any other language.

    Examples
    --------
    >>> [latin_rank(code) for code in ("en", "EN-gb", "ja-Latn", "ja-Hrkt")]
    [0, 0, 1, None]
    """
    code = language.lower().replace("_", "-")
    english, script = _LATIN_LANGUAGES
    return 0 if code.split("-")[0] == english else 1 if script in code else None


def local_language(network: Network) -> str:
    """
    Language of the local names of stops, as far as their script tells it.

    Parameters
    ----------
    network
        The network.

    Returns
    -------
    str
        BCP 47 code: ``ko``, ``ja``, ``th``, ``el``, ``he``; ``mul`` for any other script.

    Examples
    --------
    >>> from owlbus import HexGrid, Network
    >>> from dataclasses import replace
    >>> plain = Network.from_lattice(HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=2))
    >>> local_language(plain), local_language(replace(plain, stop_names=("서울역", "4.19묘지")))
    ('mul', 'ko')
    """
    letters = Counter(_script(letter) for letter in "".join(network.stop_names) if letter.isalpha())
    letters.pop("CJK", None)  # Japanese and Chinese share these
    script = letters.most_common(1)[0][0] if letters else ""
    return _LANGUAGE_OF_SCRIPT.get(script, "mul")


def _script(letter: str) -> str:
    """Script of a letter: the first word of its Unicode name."""
    return unicodedata.name(letter, "").split(" ")[0]


def has_own_name(network: Network, stop: int) -> bool:
    """
    Return whether a stop has a name of its own: neither none, nor the label of its hex.

    Parameters
    ----------
    network
        The network.
    stop
        Index of the stop.

    Returns
    -------
    bool
        True for a name in Latin letters alone, too.
    """
    name, hex_index = network.stop_names[stop], int(network.stop_hex[stop])
    is_label = hex_index >= 0 and name == str(network.grid.labels[hex_index])
    return bool(network.stop_names_latin[stop]) or bool(name and not is_label)


def display_name(network: Network, stop: int, language: str = "en", *, short: bool = False) -> str:
    """
    Name of a stop as a reader of a language sees it.

    Parameters
    ----------
    network
        The network.
    stop
        Index of the stop.
    language
        ``ko`` shows the local name; any other language the one in Latin letters, with the local one in brackets.
    short
        Whether to leave out the brackets.

    Returns
    -------
    str
        The only name if there is one, and ``stop`` with the index if there is none.

    Examples
    --------
    >>> from owlbus import HexGrid, Network
    >>> from dataclasses import replace
    >>> plain = Network.from_lattice(HexGrid.cover([(0, 0), (0.02, 0), (0.02, 0.02), (0, 0.02)], n_hexes=2))
    >>> network = replace(plain, stop_names=("서울역", "Mapo"), stop_names_latin=("Seoul Station", ""))
    >>> [display_name(network, 0, language) for language in ("en", "ko")], display_name(network, 1)
    (['Seoul Station (서울역)', '서울역'], 'Mapo')
    """
    local, latin = network.stop_names[stop], network.stop_names_latin[stop]
    if not local or not latin or local == latin:
        return local or latin or f"stop {stop}"
    if language in _LOCAL_LANGUAGES:
        return local
    return latin if short else f"{latin} ({local})"
