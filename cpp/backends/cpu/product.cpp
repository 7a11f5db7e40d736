#include "backends/cpu/product.h"

#include <algorithm>
#include <optional>

#include "backends/cpu/thread_pool.h"
#include "backends/cpu/work_memory.h"
#include "base/error.h"
#include "base/sizes.h"

namespace mlx::cpu {
namespace {

// Steps of a panel: a left panel of them is a third of the first-level cache.
constexpr int64_t kBlockSteps = 384;
// For few rows, reading the right operand is what takes time. Where its columns are adjacent, blocks of more
// columns and less depth read longer pieces of memory.
constexpr int64_t kFewRowTiles = 2, kShallowSteps = 64;
// Words of the right operand that a task packs at a time, for the second-level cache.
constexpr int64_t kRightWords = int64_t{96} << 10;
// An operand is packed once for all tasks that read it, unless it is larger than this.
constexpr int64_t kSharedWords = int64_t{4} << 20;
constexpr int64_t kLeftRows = 256;  // of a task that packs its own
// Panels that one core writes and others read cost each line a journey between their caches, ten times what
// packing costs. Up to this size each task packs all of the left operand for itself, and threads have few.
constexpr int64_t kPrivateWords = int64_t{512} << 10, kPrivateTasks = 2;
// So few columns are not divided.
constexpr int64_t kFewColumnPanels = 2;
// An operand of so many words is not packed, nor a right one that no more rows than this are multiplied with.
constexpr int64_t kDirectWords = int64_t{384} << 10, kFewRows = 512;
// A thread should have this many multiplications to do.
constexpr double kMinTaskWork = 1 << 17;

// Whether an operand's panels are made by each task for itself, once for all, or not at all.
enum class Packing { ByTask, Shared, None };

// How a product is cut.
struct Plan {
  int64_t depth_block, row_block, column_block;
  int64_t row_blocks, column_blocks;
  Packing left, right;
  // Operands that are not packed.
  Unpacked left_lines, left_depths, right_depths;
};

int64_t choose_depth_block(const Product& p) {
  const bool shallow = p.rows <= kFewRowTiles * p.kernels.rows && p.right.has_adjacent_lines();
  const int64_t most = (shallow ? kShallowSteps : kBlockSteps) * p.kernels.depth;
  return std::max<int64_t>(round_up(ceil_div(p.depth, ceil_div(std::max<int64_t>(p.depth, 1), most)), 8), 8);
}

int64_t words(const Product& p, int64_t lines, int64_t unit) {
  return round_up(lines, unit) * p.kernels.steps(p.depth);
}

// How many tasks are worth their while.
int64_t wanted_tasks(const Product& p) {
  const int64_t threads = in_parallel_region() ? 1 : num_threads();
  const double work = static_cast<double>(p.rows) * static_cast<double>(p.columns) *
                      static_cast<double>(p.depth) / p.kernels.depth;
  return threads == 1 ? 1 : static_cast<int64_t>(std::min(4.0 * threads, work / kMinTaskWork + 1));
}

// Packing an operand that fits into the second-level cache as it lies, or that is not used often enough,
// takes longer than it saves.
void find_unpacked(const Product& p, Plan& plan) {
  if (p.depth % p.kernels.depth == 0) plan.left_lines = p.left.unpacked_lines(p.kernels);
  if (!plan.left_lines.data && p.rows * p.depth <= kDirectWords)
    plan.left_depths = p.left.unpacked_depths(p.kernels);
  const bool whole_registers = p.columns % p.kernels.lanes == 0;
  if (whole_registers && (p.rows <= kFewRows || p.columns * p.depth <= kDirectWords))
    plan.right_depths = p.right.unpacked_depths(p.kernels);
}

// Gives a task its rows and columns. Where tasks pack all that they need for themselves, only one of the two
// is divided.
void divide_result(const Product& p, int64_t tasks, bool is_private, Plan& plan) {
  const int64_t panel = p.kernels.panel_columns();
  // Columns are divided first, since their panels are then packed once. Of two operands that are not packed,
  // or that each task packs, the larger one is divided.
  bool divides_columns = true;
  if (plan.left == Packing::None)
    divides_columns = p.columns > kFewColumnPanels * panel && (!plan.right_depths.data || p.columns > p.rows);
  if (is_private) divides_columns = p.columns >= p.rows;
  const int64_t share = divides_columns ? ceil_div(p.columns, tasks) : p.columns;
  plan.column_block = std::min(plan.column_block, round_up(share, panel));
  if (p.column_unit > 1 && p.column_unit <= 2 * plan.column_block)
    plan.column_block = round_up(plan.column_block, p.column_unit);
  plan.column_blocks = ceil_div(p.columns, plan.column_block);
  plan.row_block = p.rows;
  if (is_private && !divides_columns) {
    plan.row_block = ceil_div(p.rows, num_threads());
  } else if (!is_private) {
    if (plan.left == Packing::ByTask) plan.row_block = std::min(kLeftRows, p.rows);
    plan.row_block = std::min(plan.row_block, ceil_div(p.rows, ceil_div(tasks, plan.column_blocks)));
  }
  plan.row_block = round_up(plan.row_block, p.kernels.rows);
  plan.row_blocks = ceil_div(p.rows, plan.row_block);
}

Plan choose_plan(const Product& p) {
  const int64_t panel = p.kernels.panel_columns(), rows = p.kernels.rows;
  int64_t tasks = wanted_tasks(p);
  Plan plan;
  plan.depth_block = choose_depth_block(p);
  const int64_t steps = std::max<int64_t>(p.kernels.steps(std::min(plan.depth_block, p.depth)), 1);
  plan.column_block = std::max(panel, kRightWords / steps / panel * panel);
  find_unpacked(p, plan);
  const bool packs_left = !plan.left_lines.data && !plan.left_depths.data;
  const bool is_private = packs_left && tasks > 1 && round_up(p.rows, rows) * steps <= kPrivateWords &&
                          ceil_div(p.columns, num_threads()) <= 2 * plan.column_block;
  if (is_private) tasks = std::min<int64_t>(tasks, kPrivateTasks * num_threads());
  const bool shares_left = !is_private && words(p, p.rows, rows) <= kSharedWords;
  plan.left = !packs_left ? Packing::None : shares_left ? Packing::Shared : Packing::ByTask;
  if (plan.left == Packing::ByTask) plan.column_block *= 2;
  divide_result(p, tasks, is_private, plan);
  const bool shares_right =
      !is_private && plan.row_blocks > 1 && words(p, p.columns, p.kernels.lanes) <= kSharedWords;
  plan.right = plan.right_depths.data ? Packing::None : shares_right ? Packing::Shared : Packing::ByTask;
  return plan;
}

// All panels of an operand, block of depth by block of depth.
class SharedPanels {
 public:
  SharedPanels(const Product& p, const Plan& plan, const PanelSource& source, int64_t lines,
               PanelLayout layout, WorkRole role)
      : lines_(round_up(lines, layout.unit)),
        kernels_(p.kernels),
        words_(work_memory(role, lines_ * p.kernels.steps(p.depth))) {
    const int64_t depth_blocks = ceil_div(p.depth, plan.depth_block);
    // A few panels at a time; four times as many words are worth a thread.
    const int64_t group =
        std::max<int64_t>(1, kGroupWords / (plan.depth_block * layout.width)) * layout.width;
    const int64_t groups = ceil_div(lines, group);
    parallel_for(0, depth_blocks * groups, 4, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % groups * group, from = i / groups * plan.depth_block,
                      to = std::min(from + plan.depth_block, p.depth);
        source.pack({first, std::min(group, lines - first), from, to}, layout, at(first, from, to));
      }
    });
  }
  // The panels from `line` on, which begins one, at depths [begin, end), which are a block.
  uint32_t* at(int64_t line, int64_t begin, int64_t end) const {
    return words_ + lines_ * kernels_.steps(begin) + line * kernels_.steps(end - begin);
  }

 private:
  static constexpr int64_t kGroupWords = int64_t{1} << 14;

  int64_t lines_;
  const ProductKernels& kernels_;
  uint32_t* words_;
};

PanelLayout right_layout(const ProductKernels& k) { return {k, k.panel_columns(), k.lanes}; }
PanelLayout left_layout(const ProductKernels& k) { return {k, k.rows, k.rows}; }

// What all tasks of a product share.
struct Job {
  const Product& product;
  const Plan& plan;
  std::optional<SharedPanels> left, right;
};

// Computes blocks of the result, one after the other, on one thread.
class Task {
 public:
  explicit Task(const Job& job)
      : job_(job),
        p_(job.product),
        plan_(job.plan),
        kernels_(p_.kernels),
        left_(
            work_memory(WorkRole::Left, plan_.left == Packing::ByTask ? block_steps() * plan_.row_block : 0)),
        right_(
            work_memory(WorkRole::Right, plan_.right == Packing::ByTask ? block_steps() * panel_width() : 0)),
        finish_(p_.ending ? p_.ending->start() : nullptr) {}

  void run(int64_t index) {
    row_ = index % plan_.row_blocks * plan_.row_block;
    rows_ = std::min(plan_.row_block, p_.rows - row_);
    column_ = index / plan_.row_blocks * plan_.column_block;
    columns_ = std::min(plan_.column_block, p_.columns - column_);
    ResultBlock all{row_, rows_, column_, columns_, nullptr, 0};
    const bool in_place = p_.target.place(all);
    if (!in_place) use_own_sums(all);
    int64_t end = 0;
    do {
      const int64_t begin = end;
      end = std::min(begin + plan_.depth_block, p_.depth);
      multiply_depths(begin, end, all, in_place);
    } while (end < p_.depth);
  }

 private:
  int64_t block_steps() const { return kernels_.steps(std::min(plan_.depth_block, p_.depth)); }
  int64_t panel_width() const { return round_up(std::min(plan_.column_block, p_.columns), kernels_.lanes); }
  // Then sums are complete a tile's rows at a time.
  bool has_one_block() const { return p_.depth <= plan_.depth_block; }

  void use_own_sums(ResultBlock& block) {
    const int64_t rows = has_one_block() ? kernels_.rows : plan_.row_block;
    block.data = reinterpret_cast<float*>(work_memory(WorkRole::Sums, rows * panel_width()));
    block.stride = panel_width();
  }

  void multiply_depths(int64_t begin, int64_t end, const ResultBlock& all, bool in_place) {
    const uint32_t* right = right_panels(begin, end);
    if (plan_.left == Packing::ByTask) p_.left.pack({row_, rows_, begin, end}, left_layout(kernels_), left_);
    for (int64_t i = 0; i < rows_; i += kernels_.rows) {
      const int64_t at = in_place || !has_one_block() ? i : 0;
      const ResultBlock part{row_ + i,
                             std::min<int64_t>(kernels_.rows, rows_ - i),
                             column_,
                             columns_,
                             all.data + at * all.stride,
                             all.stride};
      if (begin == 0 && p_.accumulate && !in_place) p_.target.load(part);
      if (finish_ && end == p_.depth)
        for_elements(part, [&](float*, int64_t first, int64_t n) { finish_->prepare(first, n); });
      multiply_rows(left_panel(i, begin, end), right, end - begin, part, begin > 0 || p_.accumulate);
      if (end < p_.depth) continue;
      if (finish_)
        for_elements(part, [&](float* sums, int64_t first, int64_t n) { finish_->run(sums, first, n); });
      if (!in_place && !(finish_ && p_.ending->stores())) p_.target.store(part);
    }
  }

  // Calls f(where the sums are, number of the first element, count) for the runs of elements in a part; rows
  // that follow one another in both are one run.
  template <class F>
  void for_elements(const ResultBlock& part, F&& f) {
    float* from = part.data;
    int64_t start = 0, length = 0;
    for (int64_t i = 0; i < part.rows; ++i)
      for (int64_t j = 0; j < part.columns;) {
        const auto [first, count] = p_.target.elements_from(part.row + i, part.column + j);
        const int64_t n = std::min(count, part.columns - j);
        float* sums = part.data + i * part.stride + j;
        if (length && (first != start + length || sums != from + length)) {
          f(from, start, length);
          length = 0;
        }
        if (length == 0) from = sums, start = first;
        length += n;
        j += n;
      }
    f(from, start, length);
  }

  const uint32_t* right_panels(int64_t begin, int64_t end) {
    if (job_.right) return job_.right->at(column_, begin, end);
    if (plan_.right == Packing::None)
      return plan_.right_depths.data + begin * plan_.right_depths.stride + column_;
    p_.right.pack({column_, columns_, begin, end}, right_layout(kernels_), right_);
    return right_;
  }

  // The words of row row_ + i and those that share a tile with it.
  const uint32_t* left_panel(int64_t i, int64_t begin, int64_t end) const {
    if (job_.left) return job_.left->at(row_ + i, begin, end);
    if (const Unpacked& lines = plan_.left_lines; lines.data)
      return lines.data + (row_ + i) * lines.stride + kernels_.steps(begin);
    if (const Unpacked& depths = plan_.left_depths; depths.data)
      return depths.data + begin * depths.stride + row_ + i;
    return left_ + i * kernels_.steps(end - begin);
  }

  // A tile's rows of the result, all of the task's columns.
  void multiply_rows(const uint32_t* left, const uint32_t* right, int64_t depths, const ResultBlock& part,
                     bool add) const {
    const int64_t steps = kernels_.steps(depths), panel = kernels_.panel_columns();
    const bool by_rows = plan_.left_lines.data, is_packed = plan_.right != Packing::None;
    const int64_t left_stride = by_rows                  ? plan_.left_lines.stride
                                : plan_.left_depths.data ? plan_.left_depths.stride
                                                         : kernels_.rows;
    const auto& tiles = (by_rows ? kernels_.row_tiles : kernels_.tiles)[static_cast<size_t>(part.rows - 1)];
    for (int64_t j = 0; j < part.columns; j += panel) {
      const int64_t columns = std::min(panel, part.columns - j),
                    registers = ceil_div(columns, kernels_.lanes);
      const int64_t right_stride = is_packed ? registers * kernels_.lanes : plan_.right_depths.stride;
      tiles[static_cast<size_t>(registers - 1)](steps, left, left_stride, right + (is_packed ? j * steps : j),
                                                right_stride, part.data + j, part.stride, add, columns);
    }
  }

  const Job& job_;
  const Product& p_;
  const Plan& plan_;
  const ProductKernels& kernels_;
  uint32_t *const left_, *const right_;
  const std::unique_ptr<ProductEnding::Finish> finish_;
  int64_t row_ = 0, rows_ = 0, column_ = 0, columns_ = 0;
};

}  // namespace

void ProductTarget::load(const ResultBlock&) const {
  throw RuntimeError("multiply(): this target only takes results, and cannot be added to");
}

ProductTarget::Run ProductTarget::elements_from(int64_t, int64_t) const {
  throw RuntimeError("multiply(): the results of this target are no elements in order, and take no ending");
}

void multiply(const Product& p) {
  if (p.rows == 0 || p.columns == 0) return;
  const Plan plan = choose_plan(p);
  Job job{p, plan, {}, {}};
  if (plan.left == Packing::Shared)
    job.left.emplace(p, plan, p.left, p.rows, left_layout(p.kernels), WorkRole::SharedLeft);
  if (plan.right == Packing::Shared)
    job.right.emplace(p, plan, p.right, p.columns, right_layout(p.kernels), WorkRole::SharedRight);
  parallel_for(0, plan.row_blocks * plan.column_blocks, 1, [&](int64_t begin, int64_t end) {
    Task task(job);
    for (int64_t i = begin; i < end; ++i) task.run(i);
  });
}

}  // namespace mlx::cpu
