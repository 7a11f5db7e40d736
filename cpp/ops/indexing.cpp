// Reading and writing elements by index.

#include "ops.h"
#include "ops/row.h"

namespace mlx {

OP("index_select(Tensor input, int dim, Tensor index) -> Tensor");
Tensor index_select(const Tensor& input, int64_t dim, const Tensor& index) { (void)input; (void)dim; (void)index; throw NotImplementedError("index_select"); }
OP("index_add(Tensor input, int dim, Tensor index, Tensor source, *, Scalar alpha=1) -> Tensor").inplace();
Tensor index_add(const Tensor& input, int64_t dim, const Tensor& index, const Tensor& source, const Scalar& alpha) { (void)input; (void)dim; (void)index; (void)source; (void)alpha; throw NotImplementedError("index_add"); }

}  // namespace mlx
