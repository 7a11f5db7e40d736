#include "tape/node.h"

#include "tape/grad_mode.h"

namespace mlx {
namespace {

std::atomic<uint64_t> g_sequence{0};

// Nodes whose last reference went away while another node was being destroyed. Destroying them one
// after the other, not one inside the other, lets a chain of any length go without deep recursion.
struct Graveyard {
  std::vector<Node*> waiting;
  bool digging = false;
};
thread_local Graveyard t_graveyard;

}  // namespace

Node::Node() : sequence_(g_sequence.fetch_add(1, std::memory_order_relaxed)) {
  if (GradMode::anomaly() && capture_trace) extras().forward_trace = capture_trace();
}

Node::~Node() = default;

uint64_t Node::next_sequence() { return g_sequence.load(std::memory_order_relaxed); }

void Node::destroy(Node* n) {
  Graveyard& g = t_graveyard;
  g.waiting.push_back(n);
  if (g.digging) return;
  g.digging = true;
  while (!g.waiting.empty()) {
    Node* dead = g.waiting.back();
    g.waiting.pop_back();
    delete dead;
  }
  g.digging = false;
}

Node::Extras& Node::extras() {
  if (!extras_) extras_ = std::make_unique<Extras>();
  return *extras_;
}

}  // namespace mlx
