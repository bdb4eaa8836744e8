"""The sample city: facts about a place, and the synthetic records drawn over them."""

from __future__ import annotations

from owlbus.sample.building import CityFacts, build_city
from owlbus.sample.calls import CALL_COLUMNS, CALL_DIRT
from owlbus.sample.city import SAMPLE_CITIES, City, Places, read_city, sample_city, sample_grid, sample_network
from owlbus.sample.scale import Partitions, write_partitions
from owlbus.sample.settings import DIRT_SHARE, HOUR_SHARES, WEEKDAY_FACTORS, SynthSettings
from owlbus.sample.taxi import TAXI_COLUMNS, TAXI_DIRT
from owlbus.sample.writing import Synthesis, synthesise, write_synthesis

__all__ = [
    "CALL_COLUMNS",
    "CALL_DIRT",
    "DIRT_SHARE",
    "HOUR_SHARES",
    "SAMPLE_CITIES",
    "TAXI_COLUMNS",
    "TAXI_DIRT",
    "WEEKDAY_FACTORS",
    "City",
    "CityFacts",
    "Partitions",
    "Places",
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
