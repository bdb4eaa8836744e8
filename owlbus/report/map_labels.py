"""Names of districts and places on the maps of a study, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.plot.labels import MapLabel

if TYPE_CHECKING:
    from owlbus.records.places import Places
    from owlbus.report.translations import Translations
    from owlbus.sample import City

_LOCAL = frozenset({"ko"})


def map_labels(city: City | None, places: Places | None, words: Translations) -> list[MapLabel]:
    """
    Names of districts, then of places, each by weight.

    Parameters
    ----------
    city
        Facts of the city, or None.
    places
        Named places that were given, lon/lat degrees; None takes those of the city that are busy at night.
    words
        The reader's language.

    Returns
    -------
    list of MapLabel
        Most important first, degrees.
    """
    labels: list[MapLabel] = []
    if city is not None:
        points = city.districts
        order = np.argsort(-points.weight, kind="stable").tolist()
        labels += [MapLabel(words.name(points.names[k]), float(points.lon[k]), float(points.lat[k]), is_area=True) for k in order]
    if places is not None:
        order = np.argsort(-places.weight, kind="stable").tolist()
        is_local = words.language in _LOCAL
        names = [name if is_local else latin or name for name, latin in zip(places.names, places.latin, strict=True)]
        labels += [MapLabel(names[k], float(places.lon[k]), float(places.lat[k])) for k in order]
    elif city is not None:
        spots = city.night_spots
        order = np.argsort(-spots.weight, kind="stable").tolist()
        labels += [MapLabel(words.place(spots.names[k]), float(spots.lon[k]), float(spots.lat[k])) for k in order]
    return labels
