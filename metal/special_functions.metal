// Special functions of mathematics in float32. Polynomials are fits by this project in Chebyshev's sense, to
// about 1e-8, in a variable that runs from -1 to 1; what is not fitted is computed as on the CPU
// (cpp/backends/cpu/special_functions.cpp). Numbers of formulas are those of the NIST Digital Library of
// Mathematical Functions (DLMF).
namespace mlx {
namespace special {

template <int kCount>
inline float polynomial(float u, constant const float (&c)[kCount]) {
  float sum = c[kCount - 1];
  for (int i = kCount - 2; i >= 0; --i) sum = sum * u + c[i];
  return sum;
}
// The same in x of an interval.
template <int kCount>
inline float polynomial_on(float x, float low, float high, constant const float (&c)[kCount]) {
  return polynomial((x - 0.5f * (low + high)) * (2.0f / (high - low)), c);
}
// x minus a number that is given by its leading and its further digits.
inline float minus(float x, float high, float low) { return (x - high) - low; }
inline bool is_whole(float x) { return x == floor(x); }
inline bool is_odd(float n) { return metal::fmod(trunc(n), 2.0f) != 0; }

// Quantiles of the normal distribution: x / q by q^2 for q = 1/2 - p up to 3/8; x by r = sqrt(-2 log p) in
// [2, 5]; x / r by 1 / r below 1 / 5.
constant constexpr float kQuantileCentre[] = {
    2.72666502f,     0.264366895f,    0.055695042f,    0.0146315405f,   0.00426968187f,  0.0013248988f,
    0.000430120359f, 0.000143480429f, 4.48058599e-05f, 1.49688804e-05f, 8.71370685e-06f, 3.25852125e-06f};
constant constexpr float kQuantileTail[] = {
    2.84977746f,      1.66993129f,     -0.0521819443f,   0.0171144437f,   -0.00583110796f,  0.00203913986f,
    -0.000736214453f, 0.000274871883f, -8.85054105e-05f, 2.66758743e-05f, -2.25656404e-05f, 1.10852006e-05f};
constant constexpr float kQuantileFar[] = {
    0.946461439f,     -0.0440905504f,  -0.00682820333f,  0.000591084361f, -8.45476679e-05f, 1.70378244e-05f,
    -4.23489109e-06f, 1.12718601e-06f, -3.30439292e-07f, 1.69279289e-07f, -6.33992769e-08f};

// log Gamma(1 + z) / z and log Gamma(2 + z) / z for z in [-1/2, 1/2]; digamma(x) over the distance from its
// zero, in [1, 2].
constant constexpr float kGammaOne[] = {-0.577215672f,    0.411233515f,    -0.100171402f,    0.0338224359f,
                                        -0.0129616344f,   0.00530040869f,  -0.00225091889f,  0.000972461014f,
                                        -0.00043302172f,  0.000214370288f, -9.49110181e-05f, 1.79091712e-05f,
                                        -1.00539555e-05f, 2.15982054e-05f, -9.57152042e-06f};
constant constexpr float kGammaTwo[] = {0.422784328f,     0.161233515f,    -0.0168380756f,   0.00257259863f,
                                        -0.000461593212f, 9.03420078e-05f, -1.86488087e-05f, 3.95094685e-06f,
                                        -8.54397683e-07f, 2.2439491e-07f,  -5.48997399e-08f};
constant constexpr float kDigamma[] = {0.951055884f,    -0.211813703f,   0.0601356663f,   -0.0185506456f,
                                       0.00593629573f,  -0.00193481636f, 0.000638976984f, -0.000211636274f,
                                       6.60577571e-05f, -2.1769365e-05f, 1.09670682e-05f, -3.72284217e-06f};

// exp(-x) I(x) in [0, 3] (over x for order 1); the same times sqrt(x) in [3, 9], and by 9 / x beyond.
constant constexpr float kI0Small[] = {0.367433608f,   -0.222591326f,    0.169607475f,    -0.115735784f,
                                       0.067598559f,   -0.0338754691f,   0.0147505766f,   -0.00566097628f,
                                       0.00193236105f, -0.000585846312f, 0.000166492217f, -5.04204472e-05f,
                                       1.11026447e-05f};
constant constexpr float kI0Middle[] = {0.408225685f,    -0.00527517265f,  0.00306796422f,   -0.00182829692f,
                                        0.00111004536f,  -0.000668893685f, 0.000363146974f,  -0.000180754083f,
                                        0.000124285187f, -6.8284804e-05f,  -7.34556852e-06f, 1.62088982e-05f};
constant constexpr float kI0Large[] = {0.401804775f,    0.0029606123f,   0.000104754421f,
                                       7.37183836e-06f, 8.88669433e-07f, 1.62144289e-07f};
constant constexpr float kI1Small[] = {0.146026254f,    -0.143658295f,    0.102415852f,    -0.0593972132f,
                                       0.0291802436f,   -0.0124329934f,   0.0046738931f,   -0.00156682148f,
                                       0.000469664606f, -0.000132065412f, 3.85419189e-05f, -8.15056046e-06f};
constant constexpr float kI1Middle[] = {0.372448504f,     0.0142194247f,   -0.00774134416f,  0.00428775884f,
                                        -0.00240872102f,  0.00135930115f,  -0.000760824187f, 0.000402758276f,
                                        -0.000189826518f, 9.47120134e-05f, -5.33645543e-05f, 1.65874171e-05f};
constant constexpr float kI1Large[] = {0.390479058f,     -0.00862347241f, -0.000169368082f, -1.0005293e-05f,
                                       -1.02747583e-06f, -1.8583188e-07f, -4.74977888e-08f};

// By x^2 in [0, 1]: I0(x), I1(x) / x, and what K0(x) and K1(x) / x are beside their logarithms and poles; by
// 1 / x below 1: exp(x) sqrt(x) K(x).
constant constexpr float kI0Near[] = {1.12896097f, 0.132976964f, 0.00407157512f, 5.59729342e-05f,
                                      4.34448225e-07f};
constant constexpr float kI1Near[] = {0.531907856f, 0.0325725973f, 0.000671642832f, 6.95322751e-06f,
                                      4.32719105e-08f};
constant constexpr float kK0Small[] = {0.261841893f,    0.152436927f,    0.0066351397f,
                                       0.000109534303f, 9.57906764e-07f, 5.19314058e-09f};
constant constexpr float kK1Small[] = {-0.351825833f,    -0.0450490452f,   -0.00120333582f,
                                       -1.44612432e-05f, -9.96707783e-08f, -4.46743142e-10f};
constant constexpr float kK0Large[] = {1.19015718f,     -0.0522790551f,   0.00806755945f,  -0.00190742197f,
                                       0.000567522075f, -0.000202424679f, 8.22200891e-05f, -2.11679708e-05f,
                                       4.5510219e-06f,  -1.5444788e-05f,  9.57242355e-06f};
constant constexpr float kK1Large[] = {1.46155703f,      0.187978938f,    -0.01585312f,     0.00311087794f,
                                       -0.000841868226f, 0.000282040011f, -0.000110911977f, 2.89734762e-05f,
                                       -5.11110784e-06f, 1.88099166e-05f, -1.21519352e-05f};

// By x^2 in [0, 4]: J0(x), J1(x) / x, and what Y0(x) and Y1(x) / x are beside their logarithms and poles; in
// [2, 8]: the functions over the distances from their zeros.
constant constexpr float kJ0Near[] = {0.559134126f,    -0.384993315f,  0.0527131036f,
                                      -0.00305931596f, 9.8138582e-05f, -1.98595512e-06f};
constant constexpr float kJ1Near[] = {0.384993315f,     -0.105426237f,   0.00917791016f,
                                      -0.000392391375f, 9.98111864e-06f, -1.68082337e-07f};
constant constexpr float kY0Near[] = {0.221272036f,     0.238955349f,    -0.0522485077f,   0.00373332179f,
                                      -0.000136066796f, 3.03019169e-06f, -4.56495783e-08f, 4.99571939e-10f};
constant constexpr float kY1Near[] = {-0.098623395f,    0.0867122337f,   -0.0101942886f,   0.000512397441f,
                                      -1.45067352e-05f, 2.64830533e-07f, -3.38454842e-09f, 3.18860389e-11f};
constant constexpr float kJ0Middle[] = {0.13158305f,     -0.121208951f,    -0.0553292967f,   0.0597863905f,
                                        0.00927788578f,  -0.0122816414f,   -0.000831477344f, 0.00143635913f,
                                        4.36485789e-05f, -0.000109678338f, -1.26750126e-06f, 5.87998147e-06f,
                                        8.82733087e-09f, -2.0900174e-07f};
constant constexpr float kJ1Middle[] = {0.139111355f,    -0.00737272017f,  -0.104158372f,    0.00594765553f,
                                        0.028937621f,    -0.00156879274f,  -0.00428464403f,  0.000214224361f,
                                        0.000396901363f, -1.81943396e-05f, -2.50723551e-05f, 1.05676008e-06f,
                                        1.03321588e-06f, -4.06613374e-08f};
constant constexpr float kY0Middle[] = {0.141890496f,    -0.000320305262f, -0.111937046f,    0.00603646832f,
                                        0.0301814284f,   -0.00138519274f,  -0.00459594559f,  0.000277171377f,
                                        0.000386563799f, 1.06063544e-05f,  -4.85730634e-05f, -5.28015062e-06f,
                                        8.91923264e-06f, 7.93807158e-06f,  -5.70579004e-06f};
constant constexpr float kY1Middle[] = {-0.122775733f,    0.116383635f,    0.048244819f,     -0.0539831221f,
                                        -0.0100111952f,   0.0123078227f,   0.000395246258f,  -0.00114819827f,
                                        -0.000202304276f, 0.000302972272f, -8.82487366e-05f, -7.94573716e-05f,
                                        2.34276395e-05f,  6.82678219e-05f, -3.52056377e-05f};

// The two parts of Hankel's expansion by (8 / x)^2 in [0, 1].
constant constexpr float kP0[] = {0.9994573f,       -0.000536367297f, 6.13732436e-06f,
                                  -2.05242372e-07f, 1.3045236e-08f,   -1.26513655e-09f};
constant constexpr float kQ0[] = {-0.0155551136f,  6.83314938e-05f,  -1.47708215e-06f,
                                  7.10400272e-08f, -5.81758508e-09f, 6.79846013e-10f};
constant constexpr float kP1[] = {1.00090706f,     0.000898804923f,  -7.95959295e-06f,
                                  2.45332444e-07f, -1.49751891e-08f, 1.41834622e-09f};
constant constexpr float kQ1[] = {0.0467768759f,    -9.62145932e-05f, 1.82113968e-06f,
                                  -8.28954114e-08f, 6.58340671e-09f,  -7.54970753e-10f};

// ---- the error function's kin and the normal distribution

inline float erfcx(float x) {
  if (x >= 0.75f) return erfcx_above(x);
  if (x < -9.4f) return INFINITY;
  // exp(x^2) with the rounding error of x^2 put back.
  const float square = x * x, power = exp(square) * (1.0f + fma(x, x, -square));
  return x > -0.75f ? power * erfc(x) : 2.0f * power - erfcx_above(-x);
}

// The quantile of p in (0, 1/2].
inline float lower_quantile(float p) {
  const float q = 0.5f - p;
  if (q <= 0.375f) return -q * polynomial_on(q * q, 0.0f, 0.140625f, kQuantileCentre);
  const float r = sqrt(-2.0f * log(p));
  if (r <= 5.0f) return -polynomial_on(r, 2.0f, 5.0f, kQuantileTail);
  return -r * polynomial_on(1.0f / r, 1.0f / 14.6f, 0.2f, kQuantileFar);
}
inline float ndtri(float p) {
  if (!(p >= 0 && p <= 1)) return NAN;
  if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
  return p <= 0.5f ? lower_quantile(p) : -lower_quantile(1.0f - p);
}
inline float erfinv(float y) {
  const float size = abs(y);
  if (!(size <= 1)) return NAN;
  if (size == 1) return copysign(INFINITY, y);
  const float q = 0.5f * size;
  if (q <= 0.375f) return 0.70710678f * (0.5f * y * polynomial_on(q * q, 0.0f, 0.140625f, kQuantileCentre));
  return copysign(0.70710678f * lower_quantile(0.5f * (1.0f - size)), y);
}
inline float log_ndtr(float x) {
  if (x < -1) return log(0.5f * erfcx(-0.70710678f * x)) - 0.5f * x * x;
  return log1p(-ndtr(-x));
}

// ---- the gamma function's kin

// log Gamma(x) for x > 0.
inline float lgamma_positive(float x) {
  if (x < 0.5f) return x * polynomial(2.0f * x, kGammaOne) - log(x);
  if (x <= 1.5f) return (x - 1.0f) * polynomial(2.0f * (x - 1.0f), kGammaOne);
  if (x < 8.0f) {
    float product = 1;
    while (x > 2.5f) product *= x -= 1.0f;
    return (x - 2.0f) * polynomial(2.0f * (x - 2.0f), kGammaTwo) + log(product);
  }
  // Stirling's series (DLMF 5.11.1).
  const float z = 1.0f / (x * x);
  const float rest = (1.0f / 12 - z * (1.0f / 360 - z * (1.0f / 1260))) / x;
  return metal::isinf(x) ? x : (x - 0.5f) * (log(x) - 1.0f) + (0.41893853f + rest);
}
inline float lgamma(float x) {
  if (x != x) return x;
  if (x > 0) return lgamma_positive(x);
  if (is_whole(x) || metal::isinf(x)) return INFINITY;
  // Reflection (DLMF 5.5.3).
  const float sine = abs(sin(3.14159265f * (x - round(x))));
  return log(3.14159265f / sine) - lgamma_positive(1.0f - x);
}

inline float digamma_positive(float x) {
  float result = 0;
  if (x < 1) result = -1.0f / x, x += 1.0f;
  if (x < 8) {
    for (; x > 2; x -= 1.0f) result += 1.0f / (x - 1.0f);
    return result + minus(x, 1.46163213f, 1.24381499e-08f) * polynomial_on(x, 1.0f, 2.0f, kDigamma);
  }
  const float z = 1.0f / (x * x);
  return log(x) - 0.5f / x - z * (1.0f / 12 - z * (1.0f / 120 - z * (1.0f / 252)));
}
inline float digamma(float x) {
  if (x == 0) return copysign(INFINITY, -x);
  if (x > 0 || x != x) return metal::isinf(x) ? x : digamma_positive(x);
  if (is_whole(x)) return NAN;
  // Reflection (DLMF 5.5.4), with the angle reduced before the tangent.
  return digamma_positive(1.0f - x) - 3.14159265f / tan(3.14159265f * (x - round(x)));
}
inline float trigamma(float x) {
  float sign = 1, result = 0;
  if (x < 0.5f) {
    // Reflection (DLMF 5.15.6).
    const float sine = sin(3.14159265f * (x - round(x))), ratio = 3.14159265f / sine;
    result = -ratio * ratio;
    sign = -1;
    x = 1.0f - x;
  }
  float sum = 0;
  for (; x < 6; x += 1.0f) sum += 1.0f / (x * x);
  const float z = 1.0f / (x * x);
  const float tail = z * (1.0f / 6 - z * (1.0f / 30 - z * (1.0f / 42)));
  return sign * (result + (sum + (1.0f + 0.5f / x + tail) / x));
}

// ---- Bessel functions

// exp(-|x|) I of orders 0 and 1.
inline float i0e(float x) {
  const float a = abs(x);
  if (a <= 3) return polynomial_on(a, 0.0f, 3.0f, kI0Small);
  if (metal::isinf(a)) return 0;
  return (a <= 9 ? polynomial_on(a, 3.0f, 9.0f, kI0Middle) : polynomial_on(9.0f / a, 0.0f, 1.0f, kI0Large)) /
         sqrt(a);
}
inline float i1e(float x) {
  const float a = abs(x);
  if (a <= 3) return x * polynomial_on(a, 0.0f, 3.0f, kI1Small);
  if (metal::isinf(a)) return copysign(0.0f, x);
  return copysign(
      (a <= 9 ? polynomial_on(a, 3.0f, 9.0f, kI1Middle) : polynomial_on(9.0f / a, 0.0f, 1.0f, kI1Large)) /
          sqrt(a),
      x);
}
// exp(|x|) in halves: it overflows before the products do.
inline float i0(float x) {
  const float root = exp(0.5f * abs(x));
  return metal::isinf(x) ? abs(x) : i0e(x) * root * root;
}
inline float i1(float x) {
  const float root = exp(0.5f * abs(x));
  return metal::isinf(x) ? x : i1e(x) * root * root;
}

// K of orders 0 and 1 for 0 < x < 1 (DLMF 10.31), and exp(x) K for larger x.
inline float k0_near(float x) {
  const float z = x * x;
  return polynomial_on(z, 0.0f, 1.0f, kK0Small) - log(x) * polynomial_on(z, 0.0f, 1.0f, kI0Near);
}
inline float k1_near(float x) {
  const float z = x * x;
  return 1.0f / x +
         x * (log(x) * polynomial_on(z, 0.0f, 1.0f, kI1Near) + polynomial_on(z, 0.0f, 1.0f, kK1Small));
}
inline float k0_far(float x) { return polynomial_on(1.0f / x, 0.0f, 1.0f, kK0Large) / sqrt(x); }
inline float k1_far(float x) { return polynomial_on(1.0f / x, 0.0f, 1.0f, kK1Large) / sqrt(x); }

// What a function with a pole at 0 gives outside (0, infinity): NaN below, 0 at the far end.
inline float at_border(float x, float pole) { return x == 0 ? pole : x == INFINITY ? 0.0f : NAN; }
inline bool is_inside(float x) { return x > 0 && x < INFINITY; }

inline float bessel_k0(float x) {
  if (!is_inside(x)) return at_border(x, INFINITY);
  return x < 1 ? k0_near(x) : k0_far(x) * exp(-x);
}
inline float bessel_k1(float x) {
  if (!is_inside(x)) return at_border(x, INFINITY);
  return x < 1 ? k1_near(x) : k1_far(x) * exp(-x);
}
inline float scaled_bessel_k0(float x) {
  if (!is_inside(x)) return at_border(x, INFINITY);
  return x < 1 ? k0_near(x) * exp(x) : k0_far(x);
}
inline float scaled_bessel_k1(float x) {
  if (!is_inside(x)) return at_border(x, INFINITY);
  return x < 1 ? k1_near(x) * exp(x) : k1_far(x);
}

// For x >= 8: the sine and the cosine of x - pi / 4 (x - 3 pi / 4 for order 1) times the parts of Hankel's
// expansion (DLMF 10.17.3).
struct Wave {
  float even, odd, sine, cosine, scale;
};
inline Wave wave(float x, int order) {
  const float r = 8.0f / x, z = r * r, s = sin(x), c = cos(x), scale = 0.564189584f / sqrt(x);
  if (order == 0)
    return {polynomial_on(z, 0.0f, 1.0f, kP0), r * polynomial_on(z, 0.0f, 1.0f, kQ0), s - c, s + c, scale};
  return {polynomial_on(z, 0.0f, 1.0f, kP1), r * polynomial_on(z, 0.0f, 1.0f, kQ1), -(s + c), s - c, scale};
}
inline float first_kind(Wave w) { return w.scale * (w.even * w.cosine - w.odd * w.sine); }
inline float second_kind(Wave w) { return w.scale * (w.even * w.sine + w.odd * w.cosine); }

// In the middle the zeros are factors, so that values near them keep their digits.
inline float bessel_j0(float x) {
  const float a = abs(x);
  if (a <= 2) return polynomial_on(a * a, 0.0f, 4.0f, kJ0Near);
  if (a < 8)
    return minus(a, 2.40482545f, 1.08705905e-07f) * minus(a, 5.52007818f, -7.19341458e-08f) *
           polynomial_on(a, 2.0f, 8.0f, kJ0Middle);
  return metal::isinf(a) ? 0.0f : first_kind(wave(a, 0));
}
inline float bessel_j1(float x) {
  const float a = abs(x);
  if (a <= 2) return x * polynomial_on(a * a, 0.0f, 4.0f, kJ1Near);
  if (metal::isinf(a)) return 0;
  const float y = a < 8 ? minus(a, 3.83170605f, -7.68505899e-08f) * minus(a, 7.01558685f, -1.83211725e-07f) *
                              polynomial_on(a, 2.0f, 8.0f, kJ1Middle)
                        : first_kind(wave(a, 1));
  return x < 0 ? -y : y;
}
inline float bessel_y0(float x) {
  if (!is_inside(x)) return at_border(x, -INFINITY);
  if (x <= 2) return 0.636619772f * log(x) * bessel_j0(x) + polynomial_on(x * x, 0.0f, 4.0f, kY0Near);
  if (x < 8)
    return minus(x, 3.95767832f, 1.01291178e-07f) * minus(x, 7.08605099f, 7.30581178e-08f) *
           polynomial_on(x, 2.0f, 8.0f, kY0Middle);
  return second_kind(wave(x, 0));
}
inline float bessel_y1(float x) {
  if (!is_inside(x)) return at_border(x, -INFINITY);
  if (x <= 2)
    return 0.636619772f * (log(x) * bessel_j1(x) - 1.0f / x) + x * polynomial_on(x * x, 0.0f, 4.0f, kY1Near);
  if (x < 8)
    return minus(x, 2.19714141f, -8.28892723e-08f) * minus(x, 5.42968082f, 2.16514351e-07f) *
           polynomial_on(x, 2.0f, 8.0f, kY1Middle);
  return second_kind(wave(x, 1));
}

// ---- orthogonal polynomials, by their recurrences (DLMF 18.9)

// A sum of two floats, as good as twice the digits.
struct Long {
  float high, low;
};
inline Long sum(Long a, Long b) {
  const float high = a.high + b.high, part = high - a.high;
  const float low = ((a.high - (high - part)) + (b.high - part)) + (a.low + b.low), total = high + low;
  return {total, low - (total - high)};
}
inline Long product(Long a, Long b) {
  const float high = a.high * b.high, low = fma(a.high, b.high, -high) + (a.high * b.low + a.low * b.high),
              total = high + low;
  return {total, low - (total - high)};
}
inline Long product(Long a, float b) { return product(a, Long{b, 0}); }
inline Long quotient(Long a, float b) {
  const float first = a.high / b;
  const Long rest = sum(a, product(Long{first, 0}, -b));
  return sum(Long{first, 0}, Long{rest.high / b, 0});
}

// The polynomial of degree n, from those of degree 0 (which is 1) and 1 by Family::next. Powers of two are
// taken out on the way, since neighbours may lie outside a float's range where the result does not.
template <typename Family>
inline float by_recurrence(float x, float n) {
  if (n != n || x != x) return NAN;
  const int degree = int(trunc(min(n, 2e9f)));
  if (degree <= 0) return degree == 0 ? 1.0f : 0.0f;
  Long before = {1, 0}, now = Family::first(x);
  int exponent = 0;
  for (int k = 1; k < degree; ++k) {
    const Long after = Family::next(float(k), x, now, before);
    before = now;
    now = after;
    if (!(abs(now.high) > 0x1p40f)) continue;
    now = Long{now.high * 0x1p-40f, now.low * 0x1p-40f};
    before = Long{before.high * 0x1p-40f, before.low * 0x1p-40f};
    exponent = min(exponent + 40, 1000);
  }
  const float result = ldexp(now.high + now.low, exponent);
  // Beyond the range, x to the n-th power decides.
  return result == result ? result : is_odd(n) ? copysign(INFINITY, Family::lead(x)) : INFINITY;
}

template <int kFactor>
struct Hermite {
  static float lead(float x) { return x; }
  static Long first(float x) { return {float(kFactor) * x, 0}; }
  static Long next(float k, float x, Long now, Long before) {
    return sum(product(now, float(kFactor) * x), product(before, -float(kFactor) * k));
  }
};
// The CPU's limit of the degree.
inline float hermite_h(float x, float n) { return n > 512 ? NAN : by_recurrence<Hermite<2> >(x, n); }
inline float hermite_he(float x, float n) { return n > 512 ? NAN : by_recurrence<Hermite<1> >(x, n); }

struct Laguerre {
  static float lead(float x) { return -x; }
  static Long first(float x) { return sum(Long{1, 0}, Long{-x, 0}); }
  static Long next(float k, float x, Long now, Long before) {
    const Long factor = sum(Long{2.0f * k + 1.0f, 0}, Long{-x, 0});
    return quotient(sum(product(now, factor), product(before, -k)), k + 1.0f);
  }
};
inline float laguerre_l(float x, float n) { return by_recurrence<Laguerre>(x, n); }

struct Legendre {
  static float lead(float x) { return x; }
  static Long first(float x) { return {x, 0}; }
  static Long next(float k, float x, Long now, Long before) {
    const Long factor = product(Long{x, 0}, 2.0f * k + 1.0f);
    return quotient(sum(product(now, factor), product(before, -k)), k + 1.0f);
  }
};
inline float legendre_p(float x, float n) { return by_recurrence<Legendre>(x, n); }

}  // namespace special
}  // namespace mlx
