// Elements as unsigned integers in the same order: all NaN are one largest key, and the zeros are one.
inline uint order_key(float x) {
  const uint bits = as_type<uint>(x == 0 ? 0.0f : x);
  return x != x ? 0xffffffffu : (bits & 0x80000000u) ? ~bits : bits | 0x80000000u;
}
inline uint order_key(half x) { return order_key(float(x)); }
inline uint order_key(bfloat x) { return order_key(float(x)); }
inline uint order_key(int x) { return uint(x) ^ 0x80000000u; }
inline uint order_key(short x) { return order_key(int(x)); }
inline uint order_key(char x) { return order_key(int(x)); }
inline uint order_key(uchar x) { return order_key(int(x)); }
inline ulong order_key(long x) { return ulong(x) ^ 0x8000000000000000; }
