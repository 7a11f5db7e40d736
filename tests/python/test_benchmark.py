"""utils.benchmark: what is measured, by a clock that the test drives, and how it is shown."""

import pytest

import mlx
from mlx.utils.benchmark import Compare, Measurement, TaskSpec, Timer, select_unit


class Clock:
    """A clock that stands still, unless the timed statement advances it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def work(self, seconds=1e-3):
        self.now += seconds


def measured(times, number=1, **spec):
    return Measurement(number, list(times), TaskSpec("f()", **spec))


def test_timeit_divides_by_the_number_of_runs():
    clock = Clock()
    m = Timer("clock.work()", timer=clock, globals={"clock": clock}).timeit(50)
    assert m.number_per_run == 50
    assert m.raw_times == pytest.approx([0.05])
    assert m.median == m.mean == pytest.approx(1e-3)


def test_blocks_add_up_to_the_time_that_was_asked_for():
    clock, seen = Clock(), []
    timer = Timer("clock.work()", timer=clock, globals={"clock": clock})
    m = timer.blocked_autorange(lambda number, seconds: seen.append((number, seconds)), min_run_time=1.0)
    assert m.number_per_run * 1e-3 >= 0.01
    assert sum(m.raw_times) == pytest.approx(1.0, abs=0.03)
    assert seen == [(m.number_per_run, t) for t in m.raw_times]


def test_adaptive_blocks_end_when_times_agree_or_time_is_over():
    clock = Clock()
    steady = Timer("clock.work()", timer=clock, globals={"clock": clock})
    assert sum(steady.adaptive_autorange(max_run_time=5.0).raw_times) < 0.05
    wild = Timer("clock.work(next(steps))", timer=clock, globals={"clock": clock, "steps": growing()})
    assert sum(wild.adaptive_autorange(max_run_time=5.0).raw_times) >= 5.0


def growing():
    step = 1e-3
    while True:
        yield step
        step *= 1.2


def test_setup_runs_outside_of_the_time():
    clock = Clock()
    m = Timer("clock.work()", "clock.work(9)", timer=clock, globals={"clock": clock}).timeit(10)
    assert m.median == pytest.approx(1e-3)


def test_the_number_of_threads_holds_while_timing_only():
    before, seen = mlx.get_num_threads(), set()
    Timer("seen.add(mlx.get_num_threads())", globals={"seen": seen}, num_threads=3).timeit(2)
    assert seen == {3}
    assert mlx.get_num_threads() == before


def test_statistics():
    m = measured([1.0, 2.0, 3.0, 4.0, 100.0], number=2)
    assert (m.median, m.mean, m.iqr) == (1.5, 11.0, 1.0)
    assert m.has_warnings
    assert not m.meets_confidence()
    assert measured([1.0, 1.0, 1.0, 1.0]).meets_confidence()


def test_significant_figures_follow_the_uncertainty_of_the_median():
    # iqr 0.005: the median of 4 times is uncertain by 1.645 * 0.005 / 1.349 * 1.2533 / 2 = 0.0038, both ways.
    assert measured([0.99, 1.0, 1.0, 1.01]).iqr == pytest.approx(0.005)
    assert measured([0.99, 1.0, 1.0, 1.01]).significant_figures == 3
    assert measured([0.5, 1.0, 1.0, 2.0]).significant_figures == 1


def test_merging_joins_equal_tasks():
    a, b, other = measured([1.0]), measured([2.0]), measured([3.0], label="other")
    merged = Measurement.merge([a, other, b])
    assert [m.raw_times for m in merged] == [[1.0, 2.0], [3.0]]
    assert a.raw_times == [1.0]


@pytest.mark.parametrize(
    ("seconds", "unit"), [(2.0, "s"), (0.5, "ms"), (2e-6, "us"), (5e-8, "ns"), (1e-12, "ns")]
)
def test_units(seconds, unit):
    assert select_unit(seconds)[0] == unit


def test_the_report_names_task_and_times():
    m = measured([0.002, 0.004], number=2, label="sum", sub_label="small", num_threads=2)
    text = repr(m)
    assert "sum: small" in text
    assert "Median: 1.50 ms" in text
    assert "2 measurements, 2 runs per measurement, 2 threads" in text


def test_the_table_has_a_row_a_sub_label_and_a_column_a_description():
    results = [
        measured([3e-6], label="mul", sub_label="small", description="mine"),
        measured([1.5e-6], label="mul", sub_label="small", description="yours"),
        measured([25e-6], label="mul", sub_label="large", description="mine"),
        measured([8e-6], label="mul", sub_label="large", description="mine", num_threads=2),
    ]
    assert str(Compare(results)).splitlines() == [
        "[----------- mul ------------]",
        "             |  mine  |  yours",
        "1 threads: -------------------",
        "      small  |   3.0  |    1.5",
        "      large  |  25.0  |       ",
        "2 threads: -------------------",
        "      large  |   8.0  |       ",
        "",
        "Times are in microseconds (us).",
    ]


def test_the_table_is_coloured_when_asked_to():
    results = [
        measured([t], sub_label=label, description="d") for t, label in [(1e-6, "fast"), (3e-6, "slow")]
    ]
    table = Compare(results)
    table.colorize()
    assert "\033[32m1.0\033[0m" in str(table)
    assert "\033[31m3.0\033[0m" in str(table)


def test_what_cannot_be_timed_or_compared_is_refused():
    with pytest.raises(ValueError, match="Python"):
        Timer("x", language="c++")
    with pytest.raises(ValueError, match="Measurement"):
        Compare([1.0])
