"""How evenly a plan reaches groups of people, such as districts, from the shares as they are printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from owlbus.score.card import Coverage

_DIGITS = 4


def gini(rows: Iterable[tuple[float, float]]) -> float | None:
    """
    Gini coefficient of shares, each weighted by the people whom it stands for.

    Parameters
    ----------
    rows
        Share, >= 0, and weight, > 0, of each group.

    Returns
    -------
    float or None
        Mean absolute difference of the shares of two people over twice their mean [1]_: 0 if all groups have the same share, towards 1 if
        one has all; dimensionless. None if no group has any.

    References
    ----------
    .. [1] Gini (1912), Variabilita e mutabilita; Cowell (2011), Measuring Inequality, 3rd edition, appendix A.2.

    Examples
    --------
    >>> gini([(0.5, 10), (0.5, 30)]), gini([(0.0, 10), (0.4, 10)])
    (0.0, 0.5)
    """
    ordered = sorted(rows)
    total = sum(share * weight for share, weight in ordered)
    if total <= 0:
        return None
    # With the groups in the order of their shares, one sum over the Lorenz curve stands for that over all pairs.
    people = sum(weight for _, weight in ordered)
    below, area = 0.0, 0.0
    for share, weight in ordered:
        reached = share * weight
        area += weight * (2 * below + reached)
        below += reached
    return max(0.0, 1 - area / (people * total))


def fairness(groups: Iterable[tuple[str, float | None, float | None]]) -> dict[str, Any]:
    """
    Spread of the shares of groups, and the groups that have nothing.

    Parameters
    ----------
    groups
        Label, share of the people within the walk of a stop, 0 to 1, and people. A group without a share or people is left out.

    Returns
    -------
    dict
        ``gini``, by people; ``best_to_worst``, the highest share over the lowest, None if that is 0; the labels of both, ``best`` and
        ``worst``, the first on a tie; ``n_without`` and ``unserved``, number and labels of the groups with a share of 0, those with most
        people first. What no group gives is None.

    Examples
    --------
    >>> fairness([("north", 0.4, 100.0), ("south", 0.2, 100.0), ("sea", None, 0.0)])["best_to_worst"]
    2.0
    >>> fairness([("north", 0.4, 100.0), ("south", 0.0, 100.0)])["unserved"]
    ['south']
    """
    known = [(label, share, people) for label, share, people in groups if share is not None and people is not None and people > 0]
    unserved = [label for label, share, _ in sorted(known, key=lambda row: (-row[2], row[0])) if share <= 0]
    found: dict[str, Any] = {"gini": None, "best_to_worst": None, "best": None, "worst": None, "n_without": 0, "unserved": unserved}
    if not known:
        return found
    best, worst = max(known, key=lambda row: row[1]), min(known, key=lambda row: row[1])
    spread = gini((share, people) for _, share, people in known)
    return found | {
        "gini": None if spread is None else round(spread, _DIGITS),
        "best_to_worst": round(best[1] / worst[1], _DIGITS) if worst[1] > 0 else None,
        "best": best[0],
        "worst": worst[0],
        "n_without": len(unserved),
    }


def printed_fairness(by_group: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """
    Fairness of the groups of a scorecard as they are printed.

    Parameters
    ----------
    by_group
        ``by_group`` of `Scorecard.to_dict`: shares 0 to 1, or None, of people a night.

    Returns
    -------
    dict
        As of `fairness`.
    """
    return fairness((label, part["presence"]["share"], part["presence"]["denominator"]) for label, part in by_group.items())


def exact_fairness(by_group: Mapping[str, Coverage]) -> dict[str, Any]:
    """
    Fairness of the groups of a scorecard, exact.

    Parameters
    ----------
    by_group
        Coverage of each group, people a night.

    Returns
    -------
    dict
        As of `fairness`.
    """
    return fairness((label, part.presence.share, part.presence.denominator) for label, part in by_group.items())


def without_stop_text(unserved: list[str], base: float = 0, n_named: int = 2) -> str:
    """
    Line that names groups of which nobody is within the walk of a stop.

    Parameters
    ----------
    unserved
        Their labels.
    base
        People of which printed counts are multiples: what prints 0 may be anything below; 0 for open data.
    n_named
        How many to name.

    Returns
    -------
    str
        Empty if there is none.

    Examples
    --------
    >>> without_stop_text(["Dobong", "Gangbuk", "Nowon"])
    'without a stop: Dobong, Gangbuk and 1 more'
    >>> without_stop_text(["Dobong"], 15)
    'fewer than 15 people near a stop: Dobong'
    """
    if not unserved:
        return ""
    more = len(unserved) - n_named
    head = f"fewer than {base:g} people near a stop" if base else "without a stop"
    return f"{head}: {', '.join(unserved[:n_named])}" + (f" and {more} more" if more > 0 else "")
