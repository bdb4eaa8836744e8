"""Names of stops in Latin letters from the table of translations of a feed."""

from __future__ import annotations

from typing import Any

from owlbus.network.latin_names import latin_rank


def with_latin_names(stops: Any, translations: Any) -> Any:  # noqa: ANN401  # polars
    """
    Stops with their names in Latin letters.

    A translation names its stop by ``record_id``, or every stop of a name by ``field_value`` (``trans_id`` in older feeds). English
    goes before romanisations, and the stop itself before its name.

    Parameters
    ----------
    stops
        polars frame with ``stop_id`` and ``stop_name``.
    translations
        Text of ``translations.txt``, perhaps empty.

    Returns
    -------
    polars.DataFrame
        The same rows with ``latin``: empty where unknown, or where the stop's own name is the same.
    """
    import polars as pl

    by_id: dict[str, str] = {}
    by_name: dict[str, str] = {}
    rows = [
        (rank, row) for row in translations.iter_rows(named=True) if (rank := latin_rank(row["language"] or row["lang"] or "")) is not None
    ]
    for _, row in sorted(rows, key=lambda ranked: -ranked[0]):  # the best language last, so that it stays
        text = (row["translation"] or "").strip()
        if not text or (row["table_name"] or "stops") != "stops" or (row["field_name"] or "stop_name") != "stop_name":
            continue
        key, names = (row["record_id"], by_id) if row["record_id"] else (row["field_value"] or row["trans_id"], by_name)
        if key:
            names[key] = text
    pairs = zip(stops["stop_id"].to_list(), stops["stop_name"].to_list(), strict=True)
    found = [(by_id.get(stop) or by_name.get(name or "", ""), name) for stop, name in pairs]
    return stops.with_columns(latin=pl.Series([latin if latin != name else "" for latin, name in found], dtype=pl.String))
