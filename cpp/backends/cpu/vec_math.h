#pragma once
// Every function that formulas may call on Vec and Complex.

#include "backends/cpu/vec_basic.h"
#include "backends/cpu/vec_complex.h"
#include "backends/cpu/vec_double.h"
#include "backends/cpu/vec_exponential.h"
#include "backends/cpu/vec_special.h"
#include "backends/cpu/vec_trigonometric.h"
