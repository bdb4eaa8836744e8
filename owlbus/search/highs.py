"""The solver of linear and mixed-integer programs (HiGHS): made without a word, run on one thread, its failures raised."""

from __future__ import annotations

from typing import Any


def new_model(**options: float | str) -> Any:  # noqa: ANN401 -- the solver ships no types
    """
    An empty program.

    Parameters
    ----------
    **options
        Options of the solver, such as ``time_limit`` in seconds. Not `threads`: the solver refuses a number that differs from that of its
        first run in the process, whoever made it.

    Returns
    -------
    Any
        A model of `highspy` that prints nothing.

    Examples
    --------
    >>> model = new_model(time_limit=1.0)
    >>> model.getNumCol()
    0
    """
    import highspy

    # A Highs switches callbacks on when it is made and says its name on stdout meanwhile, before it can be told not to; its base does not.
    silent: Any = highspy.Highs.__mro__[1]
    model = silent()
    for option, value in ({"output_flag": False, "parallel": "off"} | options).items():
        model.setOptionValue(option, value)
    return model


def solve(model: Any) -> None:  # noqa: ANN401 -- the solver ships no types
    """
    Run the solver.

    Parameters
    ----------
    model
        What `new_model` made, with a program in it.

    Raises
    ------
    RuntimeError
        If the solver fails; running into a limit of time or nodes is no failure.

    Examples
    --------
    >>> model = new_model()
    >>> status = model.addVar(0.0, 2.0)
    >>> solve(model)
    >>> model.getInfo().objective_function_value
    0.0
    """
    import highspy

    if model.run() == highspy.HighsStatus.kError:
        msg = f"the solver of linear and mixed-integer programs failed: {model.getModelStatus()}"
        raise RuntimeError(msg)
