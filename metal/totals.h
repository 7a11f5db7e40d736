// What reductions and scans carry along: a total, how an element joins it, and how two totals join. Each is a
// plain struct, so that it can lie in any memory.

// The largest and the smallest number of a type.
template <typename T>
struct Limits;
template <>
struct Limits<uchar> {
  static uchar highest() { return 255; }
  static uchar lowest() { return 0; }
};
template <>
struct Limits<int> {
  static int highest() { return 0x7fffffff; }
  static int lowest() { return int(0x80000000); }
};
template <>
struct Limits<long> {
  static long highest() { return long(0x7fffffffffffffff); }
  static long lowest() { return long(0x8000000000000000); }
};
template <>
struct Limits<float> {
  static float highest() { return INFINITY; }
  static float lowest() { return -INFINITY; }
};

inline bool is_nan(float x) { return x != x; }
template <typename T>
inline bool is_nan(T) {
  return false;
}

// A float's sum and what rounding took from it (Knuth's exact addition), as good as twice the digits.
struct ExactSum {
  float high, low;
};
inline ExactSum exact_add(ExactSum a, float x) {
  const float sum = a.high + x, part = sum - a.high;
  return {sum, a.low + ((a.high - (sum - part)) + (x - part))};
}
inline ExactSum exact_add(ExactSum a, ExactSum b) {
  const ExactSum sum = exact_add(a, b.high);
  return {sum.high, sum.low + b.low};
}
// Beside an infinite sum the rest means nothing.
inline float rounded(ExactSum a) { return abs(a.high) < INFINITY ? a.high + a.low : a.high; }

template <typename T>
struct Sum {
  T total;
  static Sum none() { return {T(0)}; }
  static Sum add(Sum a, T x) { return {T(a.total + x)}; }
  static Sum join(Sum a, Sum b) { return {T(a.total + b.total)}; }
  static T value(Sum a) { return a.total; }
};
template <>
struct Sum<float> {
  ExactSum total;
  static Sum none() { return {{0, 0}}; }
  static Sum add(Sum a, float x) { return {exact_add(a.total, x)}; }
  static Sum join(Sum a, Sum b) { return {exact_add(a.total, b.total)}; }
  static float value(Sum a) { return rounded(a.total); }
};
template <>
struct Sum<complex64> {
  ExactSum re, im;
  static Sum none() { return {{0, 0}, {0, 0}}; }
  static Sum add(Sum a, complex64 x) { return {exact_add(a.re, x.re), exact_add(a.im, x.im)}; }
  static Sum join(Sum a, Sum b) { return {exact_add(a.re, b.re), exact_add(a.im, b.im)}; }
  static complex64 value(Sum a) { return complex64(rounded(a.re), rounded(a.im)); }
};

template <typename T>
struct Product {
  T total;
  static Product none() { return {T(1)}; }
  static Product add(Product a, T x) { return {T(a.total * x)}; }
  static Product join(Product a, Product b) { return {T(a.total * b.total)}; }
  static T value(Product a) { return a.total; }
};
template <>
struct Product<complex64> {
  complex64 total;
  static Product none() { return {complex64(1, 0)}; }
  static Product add(Product a, complex64 x) { return {a.total * x}; }
  static Product join(Product a, Product b) { return {a.total * b.total}; }
  static complex64 value(Product a) { return a.total; }
};
// The product and what rounding took from it, by exact multiplication, times a power of two: products of
// parts may lie far outside a float's range where the whole does not.
template <>
struct Product<float> {
  ExactSum part;
  int exponent;
  static Product none() { return {{1, 0}, 0}; }
  static Product scaled(Product a) {
    if (a.part.high == 0 || !(abs(a.part.high) < INFINITY)) return {{a.part.high, 0}, 0};
    int exponent;
    const float high = frexp(a.part.high, exponent);
    return {{high, ldexp(a.part.low, -exponent)}, a.exponent + exponent};
  }
  static Product add(Product a, float x) { return join(a, scaled({{x, 0}, 0})); }
  static Product join(Product a, Product b) {
    const float high = a.part.high * b.part.high, low = fma(a.part.high, b.part.high, -high) +
                                                        (a.part.high * b.part.low + a.part.low * b.part.high);
    return scaled({{high, low}, a.exponent + b.exponent});
  }
  static float value(Product a) { return ldexp(rounded(a.part), clamp(a.exponent, -400, 400)); }
};

// NaN wins over every number and stays.
template <typename T>
struct Maximum {
  T total;
  static Maximum none() { return {Limits<T>::lowest()}; }
  static Maximum add(Maximum a, T x) { return {x > a.total || is_nan(x) ? x : a.total}; }
  static Maximum join(Maximum a, Maximum b) { return add(a, b.total); }
  static T value(Maximum a) { return a.total; }
};
template <typename T>
struct Minimum {
  T total;
  static Minimum none() { return {Limits<T>::highest()}; }
  static Minimum add(Minimum a, T x) { return {x < a.total || is_nan(x) ? x : a.total}; }
  static Minimum join(Minimum a, Minimum b) { return add(a, b.total); }
  static T value(Minimum a) { return a.total; }
};
