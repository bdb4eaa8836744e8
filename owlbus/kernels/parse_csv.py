"""
Plain CSV to columns of numbers, byte by byte, compiled.

Read is what needs no thought: dated times, decimal numbers whose digits fit a float64 exactly, empty fields. A chunk with anything else is
left to the reader of texts at large, so that there is one meaning of a text, and this is only the quick way to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from owlbus.kernels.jit import inner_kernel, int64, kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

SKIP, TIME = -2, -1
"""Roles of columns; role k >= 0 is that of numbers, which fill column k of the result."""

NO_TIME = -1
"""What a missing time is read as, or one that lies out of all reason."""

MISFIT = -1
"""Result for arrays that do not fit one another."""

PADDING = 32
"""Zeros that follow a text, so that no field is read past the end."""

_QUOTE = 34
_NEWLINE, _RETURN, _MINUS, _POINT, _COMMA, _COLON, _ZERO, _SPACE, _T = 10, 13, 45, 46, 44, 58, 48, 32, 84
_MOST_DIGITS = 15
_HOURS = 48
_DAY_S = 86_400
_FIRST_S = 2 * _DAY_S
_LAST_S = 130 * 366 * _DAY_S
_POWERS = 10.0 ** np.arange(23)
_MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


@inner_kernel
def _two_digits(text: NDArray[np.uint8], at: int) -> int:
    """Return the number of two digits, negative if they are none."""
    tens, ones = int64(text[at]) - _ZERO, int64(text[at + 1]) - _ZERO
    return tens * 10 + ones if 0 <= tens <= 9 and 0 <= ones <= 9 else int64(-1000)


@inner_kernel
def _days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date, -1 if there is no such date or it lies before."""
    if not (year >= 1970 and 1 <= month <= 12 and day >= 1):
        return int64(-1)
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    if day > _MONTH_DAYS[month - 1] + (1 if leap and month == 2 else 0):
        return int64(-1)
    before = year - 1
    days = before * 365 + before // 4 - before // 100 + before // 400 - 719_162
    for m in range(month - 1):
        days += _MONTH_DAYS[m]
    return int64(days + day - 1 + (1 if leap and month > 2 else 0))


@kernel
def count_lines(text: NDArray[np.uint8]) -> int:
    """
    Count the lines of a text that newlines alone divide.

    Parameters
    ----------
    text
        Bytes that end with a newline, uint8.

    Returns
    -------
    int
        Number of lines; -1 if there is a quote or an empty line.
    """
    lines, strange = int64(text[0] == _NEWLINE), int64(text[0] == _NEWLINE or text[0] == _RETURN)
    # Sums instead of an early return: the loop vectorises, and almost no text has a quote.
    for i in range(1, text.size):
        lines += text[i] == _NEWLINE
        strange += (text[i] == _QUOTE) | ((text[i - 1] == _NEWLINE) & ((text[i] == _NEWLINE) | (text[i] == _RETURN)))
    return lines if strange == 0 and text[0] != _QUOTE else int64(-1)


@kernel
def _fits(
    text: NDArray[np.uint8], separator: int, roles: NDArray[np.int64], times: NDArray[np.int64], numbers: NDArray[np.float64]
) -> bool:
    """Whether the arrays have the shapes that `parse_rows` writes to: one column of times, each column of numbers once, padded text."""
    if numbers.shape[1] != times.size or text.size <= PADDING or separator in (0, _NEWLINE, _RETURN):
        return False
    for i in range(text.size - PADDING, text.size):
        if text[i] != 0:
            return False
    seen = np.zeros(numbers.shape[0] + 1, dtype=np.int64)
    for role in roles:
        if role != SKIP:
            if role < TIME or role >= numbers.shape[0]:
                return False
            seen[role + 1] += 1
    for times_seen in seen:
        if times_seen != 1:
            return False
    return True


@kernel
def parse_rows(
    text: NDArray[np.uint8], separator: int, roles: NDArray[np.int64], times: NDArray[np.int64], numbers: NDArray[np.float64]
) -> int:
    """
    Read whole lines of plain CSV.

    Parameters
    ----------
    text
        Bytes that end with a newline, uint8, followed by `PADDING` zeros.
    separator
        Byte between columns; no zero and no line end.
    roles
        Role of each column, shape (n_columns,), int64: `TIME` once, each of 0 to k - 1 once, `SKIP` for all others.
    times
        Receives seconds since 1970 on the local clock, `NO_TIME` where there are none, shape (n,), int64.
    numbers
        Receives numbers by column, NaN where there are none, shape (k, n), float64.

    Returns
    -------
    int
        Rows read: n, or fewer if a line is not plain. `MISFIT` if the arrays do not fit one another; nothing is written then.
    """
    if not _fits(text, separator, roles, times, numbers):
        return int64(MISFIT)
    end = text.size - PADDING
    p, last_date, last_days = 0, int64(-1), int64(-1)
    last = roles.size - 1
    for row in range(times.size):
        if p >= end:  # fewer lines than rows: zeros follow, which end every field, and nothing lies behind them
            return row
        for column in range(roles.size):
            role = roles[column]
            if role >= 0:
                # Digits gather as one whole number and are divided by a power of ten once: with at most 15 digits both are exact in
                # float64, so the quotient is the float64 nearest to the text.
                begin = p
                is_minus = text[p] == _MINUS
                p += is_minus
                mantissa, digits, decimals = int64(0), p, 0
                digit = int64(text[p]) - _ZERO
                while 0 <= digit <= 9:
                    mantissa = mantissa * 10 + digit
                    p += 1
                    digit = int64(text[p]) - _ZERO
                digits = p - digits
                if text[p] == _POINT and digits > 0 and separator != _POINT:
                    p += 1
                    decimals = p
                    digit = int64(text[p]) - _ZERO
                    while 0 <= digit <= 9:
                        mantissa = mantissa * 10 + digit
                        p += 1
                        digit = int64(text[p]) - _ZERO
                    decimals = p - decimals
                    if decimals == 0:
                        return row
                if digits + decimals > _MOST_DIGITS or (digits == 0 and p > begin):
                    return row
                value = mantissa / _POWERS[decimals]
                numbers[role, row] = np.nan if digits == 0 else -value if is_minus else value
            elif role == TIME:
                if text[p] == separator or text[p] == _NEWLINE or text[p] == _RETURN:
                    times[row] = NO_TIME
                else:
                    century, year, month, day = (
                        _two_digits(text, p),
                        _two_digits(text, p + 2),
                        _two_digits(text, p + 5),
                        _two_digits(text, p + 8),
                    )
                    hour, minute, second = _two_digits(text, p + 11), _two_digits(text, p + 14), int64(0)
                    is_shaped = text[p + 4] == _MINUS and text[p + 7] == _MINUS and text[p + 13] == _COLON
                    is_shaped = is_shaped and (text[p + 10] == _SPACE or text[p + 10] == _T)
                    if not is_shaped or min(century, year, month, day, hour, minute) < 0 or hour >= _HOURS or minute > 59:
                        return row
                    p += 16
                    if text[p] == _COLON:
                        second = _two_digits(text, p + 1)
                        if not 0 <= second <= 59:
                            return row
                        p += 3
                        if text[p] == _POINT or (text[p] == _COMMA and separator != _COMMA):
                            p += 1
                            fraction = p
                            while 48 <= text[p] <= 57:
                                p += 1
                            if p == fraction:
                                return row
                    # Files run along the night, so most rows have the date of the row before.
                    date = ((century * 100 + year) * 100 + month) * 100 + day
                    if date != last_date:
                        last_date, last_days = date, _days(century * 100 + year, month, day)
                        if last_days < 0:
                            return row
                    time_s = last_days * _DAY_S + hour * 3600 + minute * 60 + second
                    times[row] = time_s if _FIRST_S <= time_s <= _LAST_S else int64(NO_TIME)
            else:
                while text[p] != separator and text[p] != _NEWLINE and p < end:
                    p += 1
            if column < last:
                if text[p] != separator:
                    return row
            else:
                if text[p] == _RETURN:
                    p += 1
                if text[p] != _NEWLINE:
                    return row
            p += 1
    return times.size
