#include "backends/cpu/product.h"

#include <algorithm>
#include <optional>

#include "backends/cpu/scratch.h"
#include "backends/cpu/thread_pool.h"
#include "base/error.h"

namespace mlx::cpu {
namespace {

// Steps of a panel: a left panel of them is a third of the first-level cache.
constexpr int64_t kBlockSteps = 384;
// Words of the right operand that a task packs at a time, for the second-level cache.
constexpr int64_t kRightWords = int64_t{80} << 10;
// The left operand is packed once for all tasks, unless it is larger than this.
constexpr int64_t kSharedWords = int64_t{4} << 20;
constexpr int64_t kLeftRows = 256;  // of a task that packs its own
// A thread should have this many multiplications to do.
constexpr double kMinTaskWork = 1 << 17;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// How a product is cut.
struct Plan {
  int64_t depth_block, row_block, column_block;
  int64_t row_blocks, column_blocks;
  bool shares_left;
};

int64_t choose_depth_block(const Product& p) {
  const int64_t most = kBlockSteps * p.kernels.depth;
  return std::max<int64_t>(round_up(ceil_div(p.depth, ceil_div(std::max<int64_t>(p.depth, 1), most)), 8), 8);
}

Plan choose_plan(const Product& p) {
  Plan plan;
  plan.depth_block = choose_depth_block(p);
  const int64_t steps = p.kernels.steps(std::min(plan.depth_block, std::max<int64_t>(p.depth, 1)));
  const int64_t panel = p.kernels.panel_columns(), rows = p.kernels.rows;
  const double work = static_cast<double>(p.rows) * static_cast<double>(p.columns) *
                      static_cast<double>(p.depth) / p.kernels.depth;
  const int64_t threads = in_parallel_region() ? 1 : num_threads();
  const auto wanted =
      threads == 1 ? 1 : std::min<int64_t>(4 * threads, static_cast<int64_t>(work / kMinTaskWork) + 1);
  plan.shares_left = round_up(p.rows, rows) * p.kernels.steps(p.depth) <= kSharedWords;
  // Columns first, since their panels are then packed once.
  plan.column_block = std::max(panel, kRightWords / steps / panel * panel);
  if (!plan.shares_left) plan.column_block *= 2;
  plan.column_block = std::min(plan.column_block, round_up(ceil_div(p.columns, wanted), panel));
  if (p.column_unit > 1 && p.column_unit <= 2 * plan.column_block)
    plan.column_block = round_up(plan.column_block, p.column_unit);
  plan.column_blocks = ceil_div(p.columns, plan.column_block);
  plan.row_block = plan.shares_left ? round_up(p.rows, rows) : std::min(kLeftRows, round_up(p.rows, rows));
  const int64_t row_parts = ceil_div(wanted, plan.column_blocks);
  plan.row_block = std::min(plan.row_block, round_up(ceil_div(p.rows, row_parts), rows));
  plan.row_blocks = ceil_div(p.rows, plan.row_block);
  return plan;
}

class Task {
 public:
  Task(const Product& product, const Plan& plan, const uint32_t* shared_left)
      : p_(product),
        plan_(plan),
        shared_left_(shared_left),
        right_(block_steps() * round_up(std::min(plan.column_block, product.columns), product.kernels.lanes)),
        left_(shared_left ? 0 : block_steps() * plan.row_block) {}

  void run(int64_t index) {
    row_ = index % plan_.row_blocks * plan_.row_block;
    rows_ = std::min(plan_.row_block, p_.rows - row_);
    column_ = index / plan_.row_blocks * plan_.column_block;
    columns_ = std::min(plan_.column_block, p_.columns - column_);
    ResultBlock all{row_, rows_, column_, columns_, nullptr, 0};
    const bool in_place = p_.target.place(all);
    const bool one_block = p_.depth <= plan_.depth_block;
    // With one block of depth, sums are complete a tile's rows at a time.
    if (!in_place) {
      all.stride = round_up(columns_, p_.kernels.lanes);
      if (!sums_)
        sums_.emplace((one_block ? p_.kernels.rows : plan_.row_block) *
                      round_up(plan_.column_block, p_.kernels.lanes));
      all.data = sums_->data();
    }
    int64_t end = 0;
    do {
      const int64_t begin = end;
      end = std::min(begin + plan_.depth_block, p_.depth);
      p_.right.pack({column_, columns_, begin, end}, right_layout(p_.kernels), right_.data());
      const uint32_t* left = left_panels(begin, end);
      for (int64_t i = 0; i < rows_; i += p_.kernels.rows) {
        const int64_t at = in_place || !one_block ? i : 0;
        const ResultBlock part{row_ + i,
                               std::min<int64_t>(p_.kernels.rows, rows_ - i),
                               column_,
                               columns_,
                               all.data + at * all.stride,
                               all.stride};
        if (begin == 0 && p_.accumulate && !in_place) p_.target.load(part);
        multiply_rows(left + i * p_.kernels.steps(end - begin), end - begin, part,
                      begin > 0 || p_.accumulate);
        if (end < p_.depth) continue;
        p_.target.finish(part);
        if (!in_place) p_.target.store(part);
      }
    } while (end < p_.depth);
  }

  static PanelLayout right_layout(const ProductKernels& k) { return {k, k.panel_columns(), k.lanes}; }
  static PanelLayout left_layout(const ProductKernels& k) { return {k, k.rows, k.rows}; }

 private:
  int64_t block_steps() const { return p_.kernels.steps(std::min(plan_.depth_block, p_.depth)); }

  // The panels of this task's rows.
  const uint32_t* left_panels(int64_t begin, int64_t end) {
    const int64_t rows = p_.kernels.rows;
    if (shared_left_)
      return shared_left_ + round_up(p_.rows, rows) * p_.kernels.steps(begin) +
             row_ * p_.kernels.steps(end - begin);
    p_.left.pack({row_, rows_, begin, end}, left_layout(p_.kernels), left_.data());
    return left_.data();
  }

  // A tile's rows of the result, all of the task's columns.
  void multiply_rows(const uint32_t* left, int64_t depths, const ResultBlock& part, bool add) const {
    const int64_t steps = p_.kernels.steps(depths), lanes = p_.kernels.lanes;
    const auto& tiles = p_.kernels.tiles[static_cast<size_t>(part.rows - 1)];
    for (int64_t j = 0; j < part.columns; j += p_.kernels.panel_columns()) {
      const int64_t columns = std::min(p_.kernels.panel_columns(), part.columns - j);
      tiles[static_cast<size_t>(ceil_div(columns, lanes) - 1)](steps, left, right_.data() + j * steps,
                                                               part.data + j, part.stride, add, columns);
    }
  }

  const Product& p_;
  const Plan& plan_;
  const uint32_t* shared_left_;
  const Scratch<uint32_t> right_, left_;
  std::optional<Scratch<float>> sums_;
  int64_t row_ = 0, rows_ = 0, column_ = 0, columns_ = 0;
};

// All panels of the left operand, block of depth by block of depth.
void pack_left(const Product& p, const Plan& plan, uint32_t* panels) {
  const int64_t tile = p.kernels.rows, all_rows = round_up(p.rows, tile);
  const int64_t depth_blocks = ceil_div(p.depth, plan.depth_block);
  // A few panels at a time; about 16K words are worth a thread.
  const int64_t group = std::max<int64_t>(1, (int64_t{1} << 14) / (plan.depth_block * tile)) * tile;
  const int64_t groups = ceil_div(p.rows, group);
  parallel_for(0, depth_blocks * groups, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t row = i % groups * group, from = i / groups * plan.depth_block,
                    to = std::min(from + plan.depth_block, p.depth);
      p.left.pack({row, std::min(group, p.rows - row), from, to}, Task::left_layout(p.kernels),
                  panels + all_rows * p.kernels.steps(from) + row * p.kernels.steps(to - from));
    }
  });
}

}  // namespace

void ProductTarget::load(const ResultBlock&) const {
  throw RuntimeError("multiply(): this target only takes results, and cannot be added to");
}

void multiply(const Product& p) {
  if (p.rows == 0 || p.columns == 0) return;
  const Plan plan = choose_plan(p);
  const Scratch<uint32_t> left(
      plan.shares_left ? round_up(p.rows, p.kernels.rows) * p.kernels.steps(p.depth + plan.depth_block) : 0);
  if (plan.shares_left) pack_left(p, plan, left.data());
  parallel_for(0, plan.row_blocks * plan.column_blocks, 1, [&](int64_t begin, int64_t end) {
    Task task(p, plan, plan.shares_left ? left.data() : nullptr);
    for (int64_t i = begin; i < end; ++i) task.run(i);
  });
}

}  // namespace mlx::cpu
