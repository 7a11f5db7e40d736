#pragma once
// Every function that formulas may call on Vec and Complex.

#include "backends/cpu/vector/vec_basic.h"
#include "backends/cpu/vector/vec_complex.h"
#include "backends/cpu/vector/vec_double.h"
#include "backends/cpu/vector/vec_exponential.h"
#include "backends/cpu/vector/vec_special.h"
#include "backends/cpu/vector/vec_trigonometric.h"
