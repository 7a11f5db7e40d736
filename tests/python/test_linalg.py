"""Linear algebra: values against NumPy and SciPy or a defining property, gradients against differences."""

import numpy as np
import pytest
import scipy.linalg
from support import assert_close, from_numpy, name, sample, strided, to_numpy

import mlx

gradcheck, gradgradcheck = mlx.autograd.gradcheck, mlx.autograd.gradgradcheck
linalg = mlx.linalg

TYPES = [mlx.float32, mlx.float64, mlx.complex64, mlx.complex128]
EXACT = {mlx.float32: 1e-4, mlx.complex64: 1e-4, mlx.float64: 1e-11, mlx.complex128: 1e-11}
STACKS = [(), (2,), (2, 0), (3, 1)]


def matrix(*shape, complex_numbers=False, seed=0):
    """A stack of matrices whose singular values lie well apart."""
    values = sample(*shape, seed=seed)
    return values + 1j * sample(*shape, seed=seed + 1) if complex_numbers else values


def of_type(dtype, *shape, seed=0):
    return from_numpy(matrix(*shape, complex_numbers=dtype.is_complex, seed=seed)).to(dtype)


def leaf(*shape, complex_numbers=False, seed=0):
    return from_numpy(matrix(*shape, complex_numbers=complex_numbers, seed=seed), requires_grad=True)


def positive(a):
    return a @ a.mH + mlx.eye(a.shape[-1], dtype=a.dtype)


def same(actual, expected, dtype):
    assert_close(actual, to_numpy(expected), rtol=EXACT[dtype], atol=EXACT[dtype])


# ---- decompositions put together again


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 0, 3, 3), (2, 3, 4)])
def test_lu_multiplies_to_the_matrix(dtype, shape):
    a = of_type(dtype, *shape)
    p, lower, upper = linalg.lu(a)
    same(p @ lower @ upper, a, dtype)
    assert bool((lower.triu(1) == 0).all()) and bool((upper.tril(-1) == 0).all())


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3), (0, 3)])
def test_qr_multiplies_to_the_matrix(dtype, mode, shape):
    a = of_type(dtype, *shape)
    q, r = linalg.qr(a, mode)
    same(q @ r, a, dtype)
    same(q.mH @ q, mlx.eye(q.shape[-1], dtype=dtype).expand(*shape[:-2], -1, -1), dtype)
    assert bool((r.tril(-1) == 0).all())


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("shape", [(4, 4), (5, 3), (3, 5), (2, 4, 3)])
def test_svd_multiplies_to_the_matrix(dtype, full, shape):
    a = of_type(dtype, *shape)
    u, s, vh = linalg.svd(a, full_matrices=full)
    k = min(shape[-2:])
    same(u[..., :k] * s.unsqueeze(-2) @ vh[..., :k, :], a, dtype)
    assert u.shape[-1] == (shape[-2] if full else k) and vh.shape[-2] == (shape[-1] if full else k)
    assert s.dtype == dtype.to_real() and bool((s[..., :-1] >= s[..., 1:]).all())


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigh_reads_one_triangle(dtype, uplo):
    a = of_type(dtype, 3, 4, 4)
    hermitian = a + a.mH
    one = hermitian.tril() if uplo == "L" else hermitian.triu()
    values, vectors = linalg.eigh(one, uplo)
    same(vectors * values.unsqueeze(-2) @ vectors.mH, hermitian, dtype)
    same(linalg.eigvalsh(one, uplo), values, dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=name)
def test_eig_gives_vectors_of_norm_one(dtype):
    a = of_type(dtype, 2, 5, 5)
    values, vectors = linalg.eig(a)
    assert values.dtype == vectors.dtype == dtype.to_complex()
    same(a.to(vectors.dtype) @ vectors, vectors * values.unsqueeze(-2), dtype)
    same(linalg.vector_norm(vectors, dim=-2), mlx.ones(2, 5), dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("upper", [False, True])
def test_cholesky_multiplies_to_the_matrix(dtype, upper):
    a = positive(of_type(dtype, 2, 4, 4))
    factor = linalg.cholesky(a, upper=upper)
    same(factor.mH @ factor if upper else factor @ factor.mH, a, dtype)
    same(mlx.cholesky_inverse(factor, upper) @ a, mlx.eye(4, dtype=dtype).expand(2, 4, 4), dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("hermitian", [False, True])
def test_ldl_solves(dtype, hermitian):
    a = of_type(dtype, 2, 4, 4)
    a = a + (a.mH if hermitian else a.mT)
    b = of_type(dtype, 2, 4, 3, seed=5)
    ld, pivots = linalg.ldl_factor(a, hermitian=hermitian)
    same(a @ linalg.ldl_solve(ld, pivots, b, hermitian=hermitian), b, dtype)


# ---- solutions


@pytest.mark.parametrize("dtype", TYPES, ids=name)
@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("left", [True, False])
def test_solve(dtype, stack, left):
    a, b = of_type(dtype, *stack, 4, 4), of_type(dtype, 4, 4, seed=7)
    x = linalg.solve(a, b, left=left)
    same(a @ x if left else x @ a, b.expand(*stack, 4, 4), dtype)


def test_solve_takes_vectors_and_strided_matrices():
    a, b = from_numpy(sample(4, 4)), from_numpy(sample(4, seed=3))
    expected = np.linalg.solve(sample(4, 4), sample(4, seed=3))
    assert_close(linalg.solve(a, b), expected, rtol=1e-11)
    assert_close(linalg.solve(strided(a), strided(b)), expected, rtol=1e-11)
    assert_close(linalg.solve(a.t().contiguous().t(), b), expected, rtol=1e-11)


@pytest.mark.cpu  # about its threads
def test_large_systems_are_solved_by_all_threads():
    a, b = sample(300, 300), sample(300, 2, seed=1)
    assert_close(linalg.solve(from_numpy(a), from_numpy(b)), np.linalg.solve(a, b), rtol=1e-8)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("adjoint", [True, False])
@pytest.mark.parametrize("dtype", TYPES, ids=name)
def test_lu_solve(dtype, left, adjoint):
    a, b = of_type(dtype, 2, 3, 3), of_type(dtype, 2, 3, 3, seed=4)
    x = linalg.lu_solve(*linalg.lu_factor(a), b, left=left, adjoint=adjoint)
    op = a.mH if adjoint else a
    same(op @ x if left else x @ op, b, dtype)


@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("unit", [True, False])
def test_solve_triangular_reads_one_triangle(upper, left, unit):
    a, b = from_numpy(sample(2, 3, 3)), from_numpy(sample(2, 3, 3, seed=2))
    one = a.triu() if upper else a.tril()
    if unit:
        one = one - one.diagonal(dim1=-2, dim2=-1).diag_embed() + mlx.eye(3, dtype=a.dtype)
    x = linalg.solve_triangular(a, b, upper=upper, left=left, unitriangular=unit)
    same(one @ x if left else x @ one, b, mlx.float64)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 4)])
@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd", "gelss"])
def test_lstsq(shape, driver):
    a, b = sample(*shape), sample(shape[0], 2, seed=9)
    solution, residuals, rank, s = linalg.lstsq(from_numpy(a), from_numpy(b), driver=driver)
    expected = np.linalg.lstsq(a, b, rcond=None)
    assert_close(solution, expected[0], rtol=1e-9, atol=1e-9)
    has_residuals = shape[0] > shape[1] and driver != "gelsy"
    assert_close(residuals, expected[1] if has_residuals else np.zeros(0), rtol=1e-9, atol=1e-9)
    if driver != "gels":
        assert int(rank) == expected[2]


def test_pinv_of_a_singular_matrix():
    a = sample(5, 2) @ sample(2, 4, seed=1)
    assert_close(linalg.pinv(from_numpy(a)), np.linalg.pinv(a), rtol=1e-9, atol=1e-12)
    assert int(linalg.matrix_rank(from_numpy(a))) == 2
    square = a.T @ a
    assert_close(
        linalg.pinv(from_numpy(square), hermitian=True), np.linalg.pinv(square), rtol=1e-7, atol=1e-10
    )


# ---- numbers of matrices


@pytest.mark.parametrize("complex_numbers", [False, True])
def test_determinants(complex_numbers):
    a = matrix(3, 4, 4, complex_numbers=complex_numbers)
    assert_close(linalg.det(from_numpy(a)), np.linalg.det(a), rtol=1e-12)
    sign, logabs = linalg.slogdet(from_numpy(a))
    expected = np.linalg.slogdet(a)
    assert_close(sign, expected[0], rtol=1e-12)
    assert_close(logabs, expected[1], rtol=1e-12)


def test_determinant_of_singular_and_empty_matrices():
    assert float(linalg.det(mlx.zeros(3, 3))) == 0
    assert float(linalg.det(mlx.zeros(0, 0))) == 1
    assert float(linalg.slogdet(mlx.zeros(2, 2)).logabsdet) == -np.inf


@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf])
def test_matrix_norms(order):
    a = sample(3, 4)
    assert_close(linalg.matrix_norm(from_numpy(a), order), np.linalg.norm(a, order), rtol=1e-12)
    assert_close(linalg.norm(from_numpy(a), order, keepdim=True), [[np.linalg.norm(a, order)]], rtol=1e-12)


@pytest.mark.parametrize("order", [None, "fro", 1, 2, -2, np.inf])
def test_condition_numbers(order):
    a = sample(4, 4)
    assert_close(linalg.cond(from_numpy(a), order), np.linalg.cond(a, order), rtol=1e-10)


# ---- products


@pytest.mark.cpu  # squaring again and again takes more digits than float32 has
def test_matrix_exp():
    a = sample(4, 4)
    stack = np.stack([a * 0.01, a, a * 3])
    expected = np.stack([scipy.linalg.expm(m) for m in stack])
    assert_close(mlx.matrix_exp(from_numpy(stack)), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("n", [-2, 0, 1, 5])
def test_matrix_power(n):
    a = sample(3, 3)
    assert_close(linalg.matrix_power(from_numpy(a), n), np.linalg.matrix_power(a, n), rtol=1e-11, atol=1e-12)


def test_multi_dot_takes_vectors_at_the_ends():
    a, b, c = sample(4), sample(4, 5, seed=1), sample(5, seed=2)
    assert_close(linalg.multi_dot([from_numpy(m) for m in (a, b, c)]), a @ b @ c, rtol=1e-12)


def test_householder_product_is_what_geqrf_found():
    a = from_numpy(sample(5, 3))
    q = linalg.householder_product(*mlx.geqrf(a))
    same(q @ mlx.geqrf(a).a.triu()[:3], a, mlx.float64)


@pytest.mark.parametrize("left", [True, False])
@pytest.mark.parametrize("transpose", [True, False])
@pytest.mark.parametrize("dtype", [mlx.float64, mlx.complex128], ids=name)
def test_ormqr_multiplies_by_the_complete_q(dtype, left, transpose):
    a, c = of_type(dtype, 4, 3), of_type(dtype, 4, 4, seed=6)
    q = linalg.qr(a, "complete").Q
    op = q.mH if transpose else q
    same(mlx.ormqr(*mlx.geqrf(a), c, left, transpose), op @ c if left else c @ op, dtype)


@pytest.mark.parametrize("p", [0.5, 1.0, 2.0, 3.0, np.inf])
def test_distances(p):
    x, y = sample(4, 3), sample(5, 3, seed=1)
    expected = np.linalg.norm(x[:, None] - y[None], p, axis=-1) if p >= 1 else None
    if expected is None:
        expected = (np.abs(x[:, None] - y[None]) ** p).sum(-1) ** (1 / p)
    assert_close(mlx.cdist(from_numpy(x), from_numpy(y), p), expected, rtol=1e-12)
    own = mlx.cdist(from_numpy(x), from_numpy(x), p)
    i, j = np.triu_indices(4, 1)
    assert_close(mlx.pdist(from_numpy(x), p), to_numpy(own)[i, j], rtol=1e-12)


def test_many_euclidean_distances_go_through_products():
    x, y = sample(40, 3), sample(30, 3, seed=1)
    expected = np.linalg.norm(x[:, None] - y[None], axis=-1)
    assert_close(mlx.cdist(from_numpy(x), from_numpy(y)), expected, rtol=1e-6)


def test_trapezoid():
    y, x = sample(3, 5), np.sort(sample(5, seed=1))
    assert_close(mlx.trapezoid(from_numpy(y), from_numpy(x)), np.trapezoid(y, x), rtol=1e-12)
    assert_close(mlx.trapezoid(from_numpy(y), dx=2.0, dim=0), np.trapezoid(y, dx=2.0, axis=0), rtol=1e-12)


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradient_of_samples(edge_order):
    y, x = sample(5, 4), np.sort(sample(4, seed=1))
    (got,) = mlx.gradient(from_numpy(y), spacing=[from_numpy(x)], dim=1, edge_order=edge_order)
    assert_close(got, np.gradient(y, x, axis=1, edge_order=edge_order), rtol=1e-10)
    first, second = mlx.gradient(from_numpy(y), spacing=0.5, edge_order=edge_order)
    expected = np.gradient(y, 0.5, edge_order=edge_order)
    assert_close(first, expected[0], rtol=1e-10)
    assert_close(second, expected[1], rtol=1e-10)


# ---- gradients. Functions of bases are made independent of the choice of basis.


def square_of(part):
    return (part * part.conj()).real if part.is_complex() else part * part


GRADIENTS = {
    "solve": (lambda a, b: linalg.solve(a, b), [(2, 3, 3), (3, 2)]),
    "solve right": (lambda a, b: linalg.solve(a, b, left=False), [(3, 3), (2, 3)]),
    "inv": (linalg.inv, [(2, 3, 3)]),
    "det": (linalg.det, [(2, 3, 3)]),
    "slogdet": (lambda a: linalg.slogdet(a)[1], [(2, 3, 3)]),
    "lu_factor": (lambda a: linalg.lu_factor(a)[0], [(3, 3)]),
    "lu_factor tall": (lambda a: linalg.lu_factor_ex(a)[0], [(4, 3)]),
    "lu_factor wide": (lambda a: linalg.lu_factor_ex(a)[0], [(3, 4)]),
    "solve_triangular": (lambda a, b: linalg.solve_triangular(a, b, upper=True), [(3, 3), (3, 2)]),
    "solve_triangular right": (
        lambda a, b: linalg.solve_triangular(a, b, upper=False, left=False, unitriangular=True),
        [(3, 3), (2, 3)],
    ),
    "cholesky": (lambda a: linalg.cholesky(positive(a)), [(3, 3)]),
    "cholesky upper": (lambda a: linalg.cholesky(positive(a), upper=True), [(3, 3)]),
    "qr": (lambda a: linalg.qr(a), [(4, 3)]),
    "qr wide": (lambda a: linalg.qr(a), [(3, 4)]),
    "svd": (lambda a: [square_of(part) for part in linalg.svd(a, full_matrices=False)], [(4, 3)]),
    "svd wide": (lambda a: [square_of(part) for part in linalg.svd(a, full_matrices=False)], [(3, 4)]),
    "svdvals": (linalg.svdvals, [(3, 4)]),
    "eigh": (lambda a: [square_of(part) for part in linalg.eigh(a + a.mH)], [(3, 3)]),
    "eigvalsh": (lambda a: linalg.eigvalsh(a + a.mH), [(3, 3)]),
    "eig": (lambda a: [square_of(part) for part in linalg.eig(a)], [(3, 3)]),
    "pinv": (linalg.pinv, [(4, 3)]),
    "pinv wide": (linalg.pinv, [(3, 4)]),
    "lstsq": (lambda a, b: linalg.lstsq(a, b).solution, [(4, 3), (4, 2)]),
    "householder_product": (lambda a, t: linalg.householder_product(a, t), [(4, 3), (3,)]),
    "matrix_exp": (mlx.matrix_exp, [(3, 3)]),
    "matrix_power": (lambda a: linalg.matrix_power(a, -3), [(3, 3)]),
    "nuclear": (lambda a: linalg.matrix_norm(a, "nuc"), [(3, 4)]),
    "cross": (lambda a, b: linalg.cross(a, b), [(2, 3), (1, 3)]),
}


@pytest.mark.parametrize("complex_numbers", [False, True], ids=["real", "complex"])
@pytest.mark.parametrize("case", GRADIENTS)
def test_gradients(case, complex_numbers):
    function, shapes = GRADIENTS[case]
    leaves = [leaf(*shape, complex_numbers=complex_numbers, seed=11 * i) for i, shape in enumerate(shapes)]

    def outputs(*inputs):
        out = function(*inputs)
        return out if isinstance(out, mlx.Tensor) else tuple(out)

    assert gradcheck(outputs, leaves)


@pytest.mark.parametrize(
    "case", ["solve", "inv", "det", "slogdet", "cholesky", "qr", "eigvalsh", "svdvals", "pinv"]
)
def test_second_gradients(case):
    function, shapes = GRADIENTS[case]
    leaves = [leaf(*shape, seed=11 * i) for i, shape in enumerate(shapes)]

    def outputs(*inputs):
        out = function(*inputs)
        return out if isinstance(out, mlx.Tensor) else tuple(out)

    assert gradgradcheck(outputs, leaves)


def test_gradient_of_the_determinant_at_a_singular_matrix():
    """The cofactors of diag(1, 2, 0): only that of the zero is not 0."""
    a = mlx.tensor([[1.0, 0, 0], [0, 2, 0], [0, 0, 0]], dtype=mlx.float64, requires_grad=True)
    linalg.det(a).backward()
    expected = np.zeros((3, 3))
    expected[2, 2] = 2
    assert_close(a.grad, expected, atol=1e-12)


# ---- errors


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linalg.inv(mlx.zeros(3, 3)), "diagonal element 1 is zero"),
        (lambda: linalg.inv(mlx.stack([mlx.eye(2), mlx.zeros(2, 2)])), "Batch element 1"),
        (lambda: linalg.solve(mlx.zeros(2, 2), mlx.ones(2)), "singular"),
        (lambda: linalg.cholesky(-mlx.eye(2)), "leading minor of order 1"),
        (lambda: linalg.svd(mlx.full((2, 2), float("nan"))), "failed to converge"),
    ],
)
def test_failed_computations_raise_linalg_errors(call, message):
    with pytest.raises(linalg.LinAlgError, match=message):
        call()


def test_compiled_programs_raise_linalg_errors_too():
    inverse = mlx.jit(linalg.inv)
    assert_close(inverse(mlx.eye(3) * 2), np.eye(3) / 2)
    with pytest.raises(linalg.LinAlgError, match="diagonal element 1 is zero"):
        inverse(mlx.zeros(3, 3))


@pytest.mark.parametrize("function", [linalg.eig, linalg.eigvals])
def test_eigenvalues_of_what_is_not_finite(function):
    with pytest.raises(RuntimeError, match="infs or NaNs"):
        function(mlx.full((2, 2), float("inf")))


def test_linalg_errors_are_runtime_errors():
    assert issubclass(linalg.LinAlgError, RuntimeError)


def test_the_ex_forms_report_instead():
    assert linalg.inv_ex(mlx.zeros(3, 3)).info.item() == 1
    assert linalg.cholesky_ex(-mlx.eye(2)).info.item() == 1
    assert linalg.solve_ex(mlx.zeros(2, 2), mlx.ones(2)).info.item() == 1
    with pytest.raises(linalg.LinAlgError):
        linalg.inv_ex(mlx.zeros(3, 3), check_errors=True)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linalg.inv(mlx.zeros(2, 3)), "square"),
        (lambda: linalg.det(mlx.zeros(2)), "at least 2 dimensions"),
        (lambda: linalg.inv(mlx.zeros(2, 2, dtype=mlx.int64)), "floating point or complex"),
        (lambda: linalg.solve(mlx.eye(3), mlx.ones(4)), "3x3 and 4x1"),
        (lambda: linalg.solve(mlx.eye(3), mlx.ones(3).double()), "same dtype"),
        (lambda: linalg.qr(mlx.eye(3), "raw"), "unrecognized mode 'raw'"),
        (lambda: linalg.multi_dot([mlx.eye(2)]), "at least 2 tensors"),
        (lambda: linalg.cross(mlx.ones(2), mlx.ones(2)), "length 3"),
    ],
)
def test_arguments_are_checked(call, message):
    with pytest.raises(RuntimeError, match=message):
        call()


def test_methods_of_tensors():
    a = sample(3, 3) + 4 * np.eye(3)
    t = from_numpy(a)
    np.testing.assert_allclose(to_numpy(t.det()), np.linalg.det(a), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(t.logdet()), np.log(np.linalg.det(a)), rtol=1e-5)
    np.testing.assert_allclose(to_numpy(t.slogdet()[1]), np.linalg.slogdet(a)[1], rtol=1e-5)
    np.testing.assert_allclose(to_numpy(t.inverse()), np.linalg.inv(a), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_numpy(t.matrix_power(3)), np.linalg.matrix_power(a, 3), rtol=1e-4)
    spd = a @ a.T
    factor, b = from_numpy(np.linalg.cholesky(spd)), sample(3, 2)
    np.testing.assert_allclose(
        to_numpy(from_numpy(b).cholesky_solve(factor)), np.linalg.solve(spd, b), rtol=1e-3, atol=1e-4
    )
    np.testing.assert_allclose(to_numpy(factor.cholesky_inverse()), np.linalg.inv(spd), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(to_numpy((t * 0).matrix_exp()), np.eye(3))


@pytest.mark.parametrize("dtype", [mlx.float64, mlx.complex128], ids=name)
def test_gradients_of_eigenvectors_are_hermitian(dtype):
    mlx.manual_seed(0)
    a, step = mlx.randn(4, 4, dtype=dtype, requires_grad=True), mlx.randn(4, 4, dtype=dtype)
    weight = mlx.arange(16.0, dtype=mlx.float64).reshape(4, 4)

    def loss(t):
        return (mlx.linalg.eigh(t).eigenvectors.abs() * weight).sum()

    loss(a).backward()
    assert_close(a.grad, a.grad.mH.numpy())
    # Along a Hermitian direction it is the derivative.
    step = (step + step.mH) * 1e-6
    with mlx.no_grad():
        slope = (loss(a + step) - loss(a - step)).item()
        mine = 2 * (a.grad.conj() * step).sum().real.item()
    assert abs(slope - mine) < 1e-6 * abs(slope)


@pytest.mark.parametrize("order, shape", [(1, (5, 0)), (np.inf, (0, 5)), (2, (5, 0)), (2, (2, 0, 5))])
def test_the_norm_of_an_empty_matrix_is_zero(order, shape):
    norm = mlx.linalg.matrix_norm(mlx.zeros(shape), order)
    assert norm.shape == shape[:-2] and not norm.any()


@pytest.mark.parametrize("shape", [(4, 3), (3, 4), (2, 5, 3), (0, 3)])
@pytest.mark.parametrize("complex_numbers", [False, True])
def test_gradients_pass_through_the_complete_singular_vectors(shape, complex_numbers):
    k = min(shape[-2:])

    def invariant(u, s, vh):
        return (u[..., :k] * s.unsqueeze(-2).cos() @ vh[..., :k, :]).abs().square().sum() + (s**3).sum()

    gradients = []
    for full in (False, True):
        a = leaf(*shape, complex_numbers=complex_numbers)
        invariant(*linalg.svd(a, full_matrices=full)).backward()
        gradients.append(a.grad)
    assert_close(gradients[1], gradients[0])
