#pragma once
// A tensor that a node keeps for its backward pass.

#include "tape/autograd_meta.h"

namespace mlx {

class SavedTensor {
 public:
  SavedTensor() = default;
  // `is_output`: a result of the very node that saves it, kept without its history, since the node
  // would otherwise own itself.
  SavedTensor(const Tensor& t, bool is_output, uint32_t output = 0);
  // A rule's captures are made before it is known whether the op is recorded, and move into a node only then:
  // there, and not earlier, an inference tensor is refused (RuntimeError).
  SavedTensor(SavedTensor&& other);
  SavedTensor& operator=(SavedTensor&& other);
  SavedTensor(const SavedTensor&) = default;
  SavedTensor& operator=(const SavedTensor&) = default;

  // The tensor as it was. RuntimeError when its memory was written to meanwhile.
  Tensor get(const Node& node) const;
  void reset() { tensor_ = {}; }
  bool kept() const { return tensor_.defined(); }

 private:
  Tensor tensor_;
  uint32_t version_ = 0;
  uint32_t output_ = 0;
  bool is_output_ = false;
};

inline SavedTensor save(const Tensor& t) { return {t, false}; }
inline SavedTensor save_output(const Tensor& t, uint32_t output = 0) { return {t, true, output}; }

}  // namespace mlx
