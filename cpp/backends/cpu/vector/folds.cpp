#include "backends/cpu/vector/folds.h"

namespace mlx::cpu::MLX_ISA {

template <class T>
struct RealFolds {
  static constexpr FoldEntry kSum = fold_entry<T, Sum>(), kProduct = fold_entry<T, Product>(),
                             kMaximum = fold_entry<T, Maximum>(), kMinimum = fold_entry<T, Minimum>();
};
template <class T>
inline constexpr FoldEntry kDeviation = {&deviation_row<T>, &deviation_columns<T>};

#define MLX_FOLDS(T)                                                                               \
  {                                                                                                \
    RealFolds<T>::kSum, RealFolds<T>::kProduct, RealFolds<T>::kMaximum, RealFolds<T>::kMinimum, {} \
  }
extern constexpr FoldEntry fold_uint8[kFoldKinds] = MLX_FOLDS(uint8_t);
extern constexpr FoldEntry fold_int32[kFoldKinds] = MLX_FOLDS(int32_t);
extern constexpr FoldEntry fold_int64[kFoldKinds] = MLX_FOLDS(int64_t);
#undef MLX_FOLDS
extern constexpr FoldEntry fold_float32[kFoldKinds] = {RealFolds<float>::kSum, RealFolds<float>::kProduct,
                                                       RealFolds<float>::kMaximum, RealFolds<float>::kMinimum,
                                                       kDeviation<float>};
extern constexpr FoldEntry fold_float64[kFoldKinds] = {RealFolds<double>::kSum, RealFolds<double>::kProduct,
                                                       RealFolds<double>::kMaximum,
                                                       RealFolds<double>::kMinimum, kDeviation<double>};
extern constexpr FoldEntry fold_complex64[kFoldKinds] = {
    fold_entry<Pair<float>, Sum>(), fold_entry<Pair<float>, Product>(), {}, {}, {}};
extern constexpr FoldEntry fold_complex128[kFoldKinds] = {
    fold_entry<Pair<double>, Sum>(), fold_entry<Pair<double>, Product>(), {}, {}, {}};

}  // namespace mlx::cpu::MLX_ISA
