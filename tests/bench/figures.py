# SPDX-License-Identifier: BSD-2-Clause
"""Figures of several runs as one."""
import statistics


def spread(values):
    """Median, the quartiles about it, and the extremes."""
    values = sorted(values)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": statistics.median(values), "q1": low, "q3": high, "min": values[0], "max": values[-1], "n": len(values)}


def slope(xs, ys):
    """Least squares: what one more x costs, and what no x costs."""
    fit = statistics.linear_regression(xs, ys)
    return fit.slope, fit.intercept
