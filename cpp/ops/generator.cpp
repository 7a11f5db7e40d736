#include "ops/generator.h"

namespace mlx {

const Ref<Generator>& default_generator() {
  static const Ref<Generator> generator(new Generator);
  return generator;
}

}  // namespace mlx
