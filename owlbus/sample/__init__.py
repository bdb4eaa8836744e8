"""Sample city and its synthetic records."""

from __future__ import annotations

from owlbus.sample.city import (
    SAMPLE_CITIES,
    City,
    CityPlaces,
    CityStreets,
    read_city,
    sample_city,
    sample_grid,
    sample_network,
)
from owlbus.sample.make_city import CityFacts, build_city
from owlbus.sample.records import CALL_COLUMNS, CALL_ERRORS, TAXI_COLUMNS, TAXI_ERRORS
from owlbus.sample.settings import ERROR_SHARE, HOUR_SHARES, WEEKDAY_FACTORS, SynthSettings
from owlbus.sample.write import Partitions, Synthesis, synthesise, write_partitions, write_synthesis

__all__ = [
    "CALL_COLUMNS",
    "CALL_ERRORS",
    "ERROR_SHARE",
    "HOUR_SHARES",
    "SAMPLE_CITIES",
    "TAXI_COLUMNS",
    "TAXI_ERRORS",
    "WEEKDAY_FACTORS",
    "City",
    "CityFacts",
    "CityPlaces",
    "CityStreets",
    "Partitions",
    "SynthSettings",
    "Synthesis",
    "build_city",
    "read_city",
    "sample_city",
    "sample_grid",
    "sample_network",
    "synthesise",
    "write_partitions",
    "write_synthesis",
]
