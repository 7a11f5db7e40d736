#pragma once
// The passes of the compiler, a file each, in the order in which optimise() runs them.

#include "jit/graph.h"
#include "jit/program.h"

namespace mlx::jit {

// Drops the operations whose flag is set.
void drop_operations(Graph& g, const std::vector<bool>& gone);

// Gives every complete overwriting of a buffer a buffer of its own, so that most are written once and hold
// one value. Inputs that the function overwrites are written back at the end.
void single_assignment(Graph& g);
// Drops operations whose results nobody reads.
void remove_dead_code(Graph& g);
// Runs what depends on constants alone.
void fold_constants(Graph& g);
// Drops arithmetic that changes nothing, and copies whose source can be read instead.
void simplify(Graph& g);
// Replaces the copied transpose of a product by the product of the transposed factors.
void turn_transposed_products(Graph& g);
// Makes results where they are needed, rather than copying them there.
void remove_result_copies(Graph& g);
// Computes once what is computed several times.
void share_common_operations(Graph& g);
// Makes chains of pointwise operations one kernel that runs tile by tile, over broadcasts and casts.
void fuse_pointwise(Graph& g);
// Lets a reduction read its input from the chain that computes it.
void fuse_reductions(Graph& g);
// Lets kernels over rows, on the CPU, read them from the chain that computes them.
void fuse_rows(Graph& g);
// Makes a pointwise program the last part of the product whose elements it reads.
void fuse_products(Graph& g);

void optimise(Graph& g);

// Gives the local buffers memory while they are needed: pieces of their own, or places in a block.
MemoryPlan plan_memory(const Graph& g);

}  // namespace mlx::jit
