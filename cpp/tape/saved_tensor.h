#pragma once
// A tensor that a node keeps for its backward pass.

#include "tape/autograd_meta.h"

namespace mlx {

// What a pack hook made of a tensor that a node keeps.
class PackedTensor : public RefCounted {
 public:
  virtual ~PackedTensor() = default;
  static void destroy(PackedTensor* p) { delete p; }
  // What the unpack hook makes of it: elements only, without history.
  virtual Tensor unpack() const = 0;

  Edge edge;  // where the gradient of what was packed goes; none for a result of the node that keeps it
};

// The hooks in force: how tensors are packed when nodes keep them. Set by the bindings, a thread.
struct SavedTensorHooks {
  using Pack = Ref<PackedTensor> (*)(const Tensor& data);
  static inline constinit MLX_FAST_THREAD_LOCAL Pack pack = nullptr;
};

// While it lives, saved tensors move into a node, and are packed on their way.
class Keeping {
 public:
  Keeping() : before_(on_) { on_ = SavedTensorHooks::pack != nullptr; }
  ~Keeping() { on_ = before_; }
  Keeping(const Keeping&) = delete;
  Keeping& operator=(const Keeping&) = delete;
  static bool packs() { return on_; }

 private:
  static inline constinit MLX_FAST_THREAD_LOCAL bool on_ = false;
  bool before_;
};

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

  // The tensor as it was, or what the unpack hook gives for it. RuntimeError when its memory was written to
  // meanwhile, which is not seen of packed ones.
  Tensor get(const Node& node) const;
  void reset() {
    tensor_ = {};
    packed_ = {};
  }
  bool kept() const { return tensor_.defined() || packed_; }

 private:
  void pack();
  Tensor unpack(const Node& node) const;

  Tensor tensor_;
  Ref<PackedTensor> packed_;  // in place of tensor_
  uint32_t version_ = 0;
  uint32_t output_ = 0;
  bool is_output_ = false;
};

inline SavedTensor save(const Tensor& t) { return {t, false}; }
inline SavedTensor save_output(const Tensor& t, uint32_t output = 0) { return {t, true, output}; }

}  // namespace mlx
