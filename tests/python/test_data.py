"""Datasets, samplers, collation, and the loader in one process."""

from collections import Counter, OrderedDict, namedtuple

import numpy as np
import pytest
from loading import Counting, Misbehaving, Squares, identity

import mlx
from mlx.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)


def seeded(seed=0):
    generator = mlx.Generator()
    generator.manual_seed(seed)
    return generator


# ---- datasets


def test_tensor_dataset():
    data = TensorDataset(mlx.arange(6).view(3, 2), mlx.arange(3))
    assert len(data) == 3
    assert [t.tolist() for t in data[1]] == [[2, 3], 1]
    assert [t.tolist() for t in data[1:]] == [[[2, 3], [4, 5]], [1, 2]]


def test_tensor_dataset_of_different_lengths():
    with pytest.raises(AssertionError, match=r"\[3, 2\]"):
        TensorDataset(mlx.ones(3), mlx.ones(2))


def test_stack_dataset():
    assert StackDataset([1, 2], "ab")[1] == (2, "b")
    assert StackDataset(x=[1, 2], y="ab")[0] == {"x": 1, "y": "a"}
    assert len(StackDataset([1, 2])) == 2


@pytest.mark.parametrize(("args", "kwargs"), [(([1],), {"y": [1]}), ((), {}), (([1], [1, 2]), {})])
def test_stack_dataset_arguments(args, kwargs):
    with pytest.raises(ValueError, match="Supported|At least|Size"):
        StackDataset(*args, **kwargs)


def test_concat_dataset():
    data = ConcatDataset([[0, 1], [], [2, 3, 4]])
    assert [data[i] for i in range(-5, 5)] == [0, 1, 2, 3, 4] * 2
    assert data.cumulative_sizes == [2, 2, 5]
    for index in (5, -6):
        with pytest.raises(IndexError, match=str(index)):
            data[index]


def test_sum_of_datasets():
    assert len(Squares(2) + Squares(3)) == 5
    assert list(Counting(2) + Counting(3)) == [0, 1, 0, 1, 2]


@pytest.mark.parametrize("datasets", [[], [Counting()]])
def test_concat_dataset_arguments(datasets):
    with pytest.raises(AssertionError):
        ConcatDataset(datasets)


def test_chain_dataset_takes_iterable_datasets():
    with pytest.raises(AssertionError, match="IterableDataset"):
        list(ChainDataset([[1]]))


def test_subset():
    data = Subset(Squares(), [3, 1])
    assert len(data) == 2
    assert data[0][1] == 3
    assert [y for _, y in data.__getitems__([1, 0])] == [1, 3]


@pytest.mark.parametrize(
    ("lengths", "sizes"),
    [([6, 4], [6, 4]), ([0.5, 0.3, 0.2], [5, 3, 2]), ([0.33, 0.33, 0.34], [4, 3, 3]), ([1.0], [10])],
)
def test_random_split(lengths, sizes):
    parts = random_split(range(10), lengths, seeded())
    assert [len(p) for p in parts] == sizes
    assert sorted(i for p in parts for i in p) == list(range(10))
    assert [list(p) for p in random_split(range(10), lengths, seeded())] == [list(p) for p in parts]


@pytest.mark.parametrize("lengths", [[3, 4], [1.5, -0.5], [0.5, 0.6]])
def test_random_split_lengths_that_do_not_fit(lengths):
    with pytest.raises(ValueError, match="10|fractions"):
        random_split(range(10), lengths)


@pytest.mark.parametrize("base", [Dataset, IterableDataset, Sampler])
def test_base_classes_say_what_is_missing(base):
    with pytest.raises(NotImplementedError):
        base()[0] if base is Dataset else iter(base())


# ---- samplers


def test_sequential_sampler():
    assert list(SequentialSampler("abc")) == [0, 1, 2]


def test_random_sampler_is_a_permutation_that_follows_the_generator():
    sampler = RandomSampler(range(50), generator=seeded())
    first = list(sampler)
    assert sorted(first) == list(range(50))
    assert list(sampler) != first
    assert list(RandomSampler(range(50), generator=seeded())) == first


def test_random_sampler_follows_the_default_generator():
    mlx.manual_seed(1)
    first = list(RandomSampler(range(50)))
    mlx.manual_seed(1)
    assert list(RandomSampler(range(50))) == first


def test_random_sampler_counts():
    drawn = list(RandomSampler(range(4), num_samples=10))
    assert sorted(drawn[:4]) == sorted(drawn[4:8]) == [0, 1, 2, 3]
    assert len(drawn) == 10
    drawn = Counter(RandomSampler(range(4), replacement=True, num_samples=4000, generator=seeded()))
    assert all(880 < n < 1120 for n in drawn.values())  # four standard deviations around 1,000


@pytest.mark.parametrize("options", [{"num_samples": 0}, {"num_samples": 1.5}, {"num_samples": -1}])
def test_random_sampler_arguments(options):
    with pytest.raises(ValueError, match="num_samples"):
        RandomSampler(range(3), **options)


def test_subset_random_sampler():
    assert sorted(SubsetRandomSampler([5, 7, 9])) == [5, 7, 9]


def test_weighted_random_sampler():
    drawn = Counter(WeightedRandomSampler([0.0, 1.0, 3.0], 4000, generator=seeded()))
    assert drawn[0] == 0
    assert abs(drawn[2] - 3000) < 110  # four standard deviations
    assert sorted(WeightedRandomSampler([1.0, 2.0, 3.0], 3, replacement=False)) == [0, 1, 2]


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("n", [0, 1, 3, 4, 7])
def test_batch_sampler(n, drop_last):
    batches = BatchSampler(range(n), 3, drop_last)
    expected = [list(range(i, min(i + 3, n))) for i in range(0, n, 3)]
    expected = [b for b in expected if len(b) == 3 or not drop_last]
    assert list(batches) == expected
    assert len(batches) == len(expected)


@pytest.mark.parametrize("size", [0, -1, 2.0, True])
def test_batch_sampler_arguments(size):
    with pytest.raises(ValueError, match="batch_size"):
        BatchSampler(range(3), size, False)


@pytest.mark.parametrize("shuffle", [False, True])
def test_distributed_sampler_covers_the_dataset(shuffle):
    parts = [list(DistributedSampler(range(10), 3, rank, shuffle=shuffle)) for rank in range(3)]
    assert [len(p) for p in parts] == [4, 4, 4]
    assert {i for p in parts for i in p} == set(range(10))
    if not shuffle:
        assert parts == [[0, 3, 6, 9], [1, 4, 7, 0], [2, 5, 8, 1]]


def test_distributed_sampler_drops_what_is_left_over():
    parts = [list(DistributedSampler(range(10), 3, rank, drop_last=True)) for rank in range(3)]
    assert [len(p) for p in parts] == [3, 3, 3]
    assert len({i for p in parts for i in p}) == 9


def test_distributed_sampler_epochs():
    sampler = DistributedSampler(range(100), 2, 0)
    first = list(sampler)
    sampler.set_epoch(1)
    assert list(sampler) != first
    sampler.set_epoch(0)
    assert list(sampler) == first


def test_distributed_sampler_more_processes_than_samples():
    assert [list(DistributedSampler(range(2), 5, rank, shuffle=False)) for rank in range(5)] == [
        [0], [1], [0], [1], [0]
    ]  # fmt: skip


def test_distributed_sampler_arguments():
    with pytest.raises(ValueError, match="rank 2"):
        DistributedSampler(range(3), 2, 2)
    with pytest.raises(RuntimeError, match="num_replicas"):
        DistributedSampler(range(3))


# ---- collation

Point = namedtuple("Point", ["x", "y"])


def test_collate_tensors_and_arrays():
    assert default_collate([mlx.ones(2), mlx.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    batch = default_collate([np.arange(2, dtype=np.int16), np.zeros(2, np.int16)])
    assert (batch.dtype, batch.tolist()) == (mlx.int16, [[0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("samples", "dtype"),
    [
        ([1, 2], mlx.int64),
        ([1.5, 2.0], mlx.float64),
        ([True, False], mlx.bool),
        ([np.float32(1), np.float32(2)], mlx.float32),
        ([np.float64(1), np.float64(2)], mlx.float64),
        ([np.bool_(True), np.bool_(False)], mlx.bool),
    ],
)
def test_collate_numbers(samples, dtype):
    batch = default_collate(samples)
    assert batch.dtype == dtype
    assert batch.tolist() == [float(x) for x in samples]


def test_collate_containers():
    samples = [{"a": (i, "t"), "b": Point(i, [i, i])} for i in range(2)]
    batch = default_collate(samples)
    assert batch["a"][0].tolist() == [0, 1]
    assert batch["a"][1] == ("t", "t")
    assert isinstance(batch["b"], Point)
    assert [t.tolist() for t in batch["b"].y] == [[0, 1], [0, 1]]
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict


def test_collate_errors():
    with pytest.raises(TypeError, match="object"):
        default_collate([object()])
    with pytest.raises(RuntimeError, match="equal size"):
        default_collate([[1, 2], [1]])
    with pytest.raises(RuntimeError):
        default_collate([mlx.ones(2), mlx.ones(3)])


def test_convert():
    data = default_convert({"a": np.ones(2), "b": [np.float32(1)], "c": ("x", 1), "d": Point(np.ones(1), 2)})
    assert isinstance(data["a"], mlx.Tensor)
    assert data["b"][0].dtype == mlx.float32
    assert data["c"] == ["x", 1]
    assert isinstance(data["d"].x, mlx.Tensor)


# ---- the loader in one process


def labels(batches):
    return [y.tolist() for _, y in batches]


def test_loader_batches():
    assert labels(DataLoader(Squares(5), 2)) == [[0, 1], [2, 3], [4]]
    assert labels(DataLoader(Squares(5), 2, drop_last=True)) == [[0, 1], [2, 3]]


@pytest.mark.parametrize("drop_last", [False, True])
def test_loader_length(drop_last):
    loader = DataLoader(Squares(5), 2, drop_last=drop_last)
    assert len(loader) == len(list(loader))


def test_loader_shuffles_anew_each_epoch():
    loader = DataLoader(Squares(30), 30, shuffle=True, generator=seeded())
    first, second = labels(loader)[0], labels(loader)[0]
    assert first != second
    assert sorted(first) == sorted(second) == list(range(30))


def test_loader_with_samplers():
    assert labels(DataLoader(Squares(), 2, sampler=[3, 1, 2])) == [[3, 1], [2]]
    assert labels(DataLoader(Squares(), batch_sampler=[[1], [2, 3]])) == [[1], [2, 3]]


def test_loader_without_batches():
    samples = list(DataLoader(Squares(3), batch_size=None))
    assert [y for _, y in samples] == [0, 1, 2]
    assert samples[2][0].tolist() == [4]


def test_loader_collate_fn():
    assert list(DataLoader(range(3), 2, collate_fn=identity)) == [[0, 1], [2]]


def test_loader_fetches_many_at_once():
    class Many(Squares):
        def __getitems__(self, indices):
            return [(-i, i) for i in indices]

    assert [x.tolist() for x, _ in DataLoader(Many(3), 2)] == [[0, -1], [-2]]


def test_loader_of_an_iterable_dataset():
    assert [b.tolist() for b in DataLoader(Counting(5), 2)] == [[0, 1], [2, 3], [4]]
    assert [b.tolist() for b in DataLoader(Counting(5), 2, drop_last=True)] == [[0, 1], [2, 3]]
    assert list(DataLoader(Counting(3), None)) == [0, 1, 2]


def test_an_iterable_dataset_has_a_length_only_if_it_says_so():
    with pytest.raises(TypeError):
        len(DataLoader(Counting(5), 2))


def test_stop_iteration_from_a_dataset_is_an_error():
    with pytest.raises(RuntimeError, match="StopIteration"):
        list(DataLoader(Misbehaving("StopIteration")))


def test_no_worker_here():
    assert get_worker_info() is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers"),
        ({"timeout": -1}, "timeout"),
        ({"prefetch_factor": 2}, "prefetch_factor"),
        ({"persistent_workers": True}, "persistent_workers"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context"),
        ({"multiprocessing_context": "no", "num_workers": 1}, "multiprocessing_context"),
        ({"sampler": [0], "shuffle": True}, "sampler"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler"),
        ({"batch_size": None, "drop_last": True}, "drop_last"),
        ({"batch_size": 0}, "batch_size"),
    ],
)
def test_loader_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        DataLoader(Squares(), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_loader_arguments_with_an_iterable_dataset(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        DataLoader(Counting(), **options)


def test_loader_settings_are_fixed():
    with pytest.raises(ValueError, match="batch_size"):
        DataLoader(Squares()).batch_size = 3
