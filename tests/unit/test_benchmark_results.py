"""What `make bench` keeps: one row a figure, its target beside it, and a reason for each that misses it."""

import msgspec
import pytest

from benchmarks import __main__ as bench
from benchmarks import results
from benchmarks.results import Figure


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    return results.RESULTS


def a_figure(figure: float | None, **target: object) -> Figure:
    return Figure(name="check", figure=figure, unit="ratio", **target)


@pytest.mark.parametrize(
    ("figure", "target", "written", "met"),
    [
        (0.9, {"least": 0.85}, "≥ 0.85", True),
        (0.84, {"least": 0.85}, "≥ 0.85", False),
        (1.1, {"most": 1.1}, "≤ 1.1", True),
        (1.2, {"most": 1.1}, "≤ 1.1", False),
        (1.2, {}, "", None),
        (None, {"least": 8}, "≥ 8", None),
    ],
)
def test_a_figure_meets_its_target_or_not_or_has_none(figure, target, written, met):
    found = a_figure(figure, **target)
    assert (found.target, found.met) == (written, met)


def test_a_benchmark_replaces_what_it_found_before_and_nothing_of_others(kept):
    results.keep("growth", [a_figure(1.0)])
    results.keep("check", [a_figure(0.5, least=0.85, why="the disk")])
    results.keep("check", [a_figure(0.9, least=0.85, why="the disk")])

    rows = msgspec.json.decode(kept.read_bytes())
    assert [(row["benchmark"], row["figure"], row["met"], row["why"]) for row in rows] == [
        ("growth", 1.0, None, ""),
        ("check", 0.9, True, ""),
    ]
    assert set(rows[0]) >= {"name", "figure", "unit", "target", "met", "errors"}


def test_a_miss_that_nobody_looked_into_fails_the_run(monkeypatch, capsys):
    monkeypatch.setattr(bench, "MODULES", {})
    results.keep("check", [a_figure(0.5, least=0.85, why="the disk is slow")])
    assert bench.main([]) == 0
    assert "investigated: the disk is slow" in capsys.readouterr().out
    results.keep("check", [a_figure(0.5, least=0.85)])
    assert bench.main([]) == 1


def test_what_failed_fails_the_run_and_keeps_no_other_from_it(monkeypatch, capsys):
    monkeypatch.setattr(bench, "MODULES", {"one": "benchmarks.nothing_here", "two": "this"})
    assert bench.main(["three"]) == 2
    assert bench.main([]) == 1
    assert "one failed" in capsys.readouterr().err
