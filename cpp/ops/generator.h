#pragma once
// The state of a stream of random numbers: a seed and how far it was read. The numbers themselves
// come from Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), a
// function of seed and position, so they are the same on every device and at any number of threads.

#include <cstdint>

#include "base/ref.h"

namespace mlx {

class Generator : public RefCounted {
 public:
  static void destroy(Generator* g) { delete g; }
  uint64_t seed() const { return seed_; }
  uint64_t position() const { return position_; }
  void set(uint64_t seed, uint64_t position = 0) {
    seed_ = seed;
    position_ = position;
    ++resets_;
  }
  // How often it was set: whether numbers drawn at two times belong to one stream.
  uint64_t resets() const { return resets_; }
  // Takes the next `count` blocks of four 32-bit numbers; returns the first one's position.
  uint64_t take(uint64_t count) {
    uint64_t at = position_;
    position_ += count;
    return at;
  }

 private:
  uint64_t seed_ = 0;
  uint64_t position_ = 0;
  uint64_t resets_ = 0;
};

// The generator that is used when none is given.
const Ref<Generator>& default_generator();

}  // namespace mlx
