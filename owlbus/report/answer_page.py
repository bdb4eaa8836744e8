"""The answer to one complaint as one HTML page to print; it makes no network requests."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from owlbus.common.palette import css_variables
from owlbus.common.text import page_value
from owlbus.evidence.redact import count_text

if TYPE_CHECKING:
    from collections.abc import Mapping

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ doc.change }}</title>
<style>
{{ colours }}
@page { size: A4; margin: 15mm }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); max-width: 46rem; margin: 1.5rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin: 0 0 .3rem } h2 { font-size: 1.1rem; margin: 1.3rem 0 .3rem }
.verdict { border-left: 5px solid var(--link); background: var(--pale); padding: .6rem .9rem; font-size: 1.05rem }
.warn { border-color: var(--alert); background: var(--warn) } .note { color: var(--soft); font-size: .88rem }
table { border-collapse: collapse; width: 100% } th, td { padding: .18rem .5rem; text-align: right; border-bottom: 1px solid var(--hair) }
th:first-child, td:first-child { text-align: left } img { width: 100%; height: auto } tr, img { break-inside: avoid }
</style></head><body>
<h1>{{ doc.change }}</h1>
<p class="note">{{ plan }} · routes {{ doc.routes | join(", ") }}{% if synthetic %} · <strong>SYNTHETIC demand</strong>{% endif %}</p>
<p class="verdict">{{ doc.verdict }}</p>
{% for line in doc.broken_limits %}<p class="verdict warn">Breaks a limit: {{ line }}</p>{% endfor %}
{% if picture %}<img alt="Map: who gains and who loses" src="data:image/png;base64,{{ picture }}">{% endif %}
<h2>Who gains and who loses, a night</h2>
<table><tr><th></th><th>trips +</th><th>trips &minus;</th><th>people +</th><th>people &minus;</th></tr>
{% for label, row in rows %}<tr><td>{{ label }}</td>
<td>{{ count(row.gained_trips) }}</td><td>{{ count(row.lost_trips) }}</td>
<td>{{ count(row.gained_presence) }}</td><td>{{ count(row.lost_presence) }}</td></tr>
{% endfor %}</table>
<h2>What changes for those served before and after</h2>
<table>
<tr><td>need a transfer now</td><td>{{ count(b.now_transfer_trips) }} trips</td></tr>
<tr><td>need no transfer any more</td><td>{{ count(b.now_direct_trips) }} trips</td></tr>
<tr><td>have a longer ride{% if b.slower_mean_s %}, by {{ "%.0f" | format(b.slower_mean_s / 60) }} min on average{% endif %}</td>
<td>{{ count(b.slower_trips) }} trips</td></tr>
<tr><td>have a shorter ride{% if b.faster_mean_s %}, by {{ "%.0f" | format(b.faster_mean_s / 60) }} min on average{% endif %}</td>
<td>{{ count(b.faster_trips) }} trips</td></tr>
<tr><td>have a longer walk{% if b.further_mean_m %}, by {{ "%.0f" | format(b.further_mean_m) }} m on average{% endif %}</td>
<td>{{ count(b.further_presence) }} people</td></tr>
<tr><td>have a shorter walk{% if b.nearer_mean_m %}, by {{ "%.0f" | format(b.nearer_mean_m) }} m on average{% endif %}</td>
<td>{{ count(b.nearer_presence) }} people</td></tr></table>
<h2>What it costs</h2>
<p>{{ "%+.1f" | format(doc.cost.length_m / 1000) }} km one way, {{ "%+.0f" | format(doc.cost.cycle_min) }} minutes of round trips,
{{ "%+d" | format(doc.cost.buses) }} buses.</p>
{% if doc.alternative %}<h2>The next-best alternative</h2><p>{{ doc.alternative.verdict }}</p>{% endif %}
<p class="note">Trips and people are means of {{ doc.n_nights }} nights. Counts below {{ doc.hidden.min_count }}, and counts that would
reveal one, read &lt;{{ doc.hidden.min_count }}. Hours and districts are those where a trip starts.</p>
</body></html>
"""


def answer_page(document: Mapping[str, Any], *, plan: str, is_synthetic: bool, picture: bytes = b"") -> str:
    """
    Page on one change.

    Parameters
    ----------
    document
        As `Answer.to_dict` gives it, small counts of trips and people left out.
    plan
        What people call the plan.
    is_synthetic
        Whether the demand is.
    picture
        PNG of the map, or nothing.

    Returns
    -------
    str
        HTML; names from files stand in it as text.
    """
    from jinja2 import Environment

    least = document["hidden"]["min_count"]
    districts = sorted(document["by_district"].items(), key=lambda row: -sum(abs(value or 0.0) for value in row[1].values()))[:8]
    rows = [("all", document["whole"]), *((f"{hour} h", row) for hour, row in document["by_hour"].items()), *districts]
    environment = Environment(autoescape=True, finalize=page_value, trim_blocks=True)
    return environment.from_string(_TEMPLATE).render(
        doc=document,
        colours=css_variables(),
        b=document["burden"],
        rows=rows,
        plan=plan,
        synthetic=is_synthetic,
        picture=base64.b64encode(picture).decode(),
        count=lambda value: count_text(value, least),
    )
