// What the primitive record needs to know of the StableHLO builder.
#pragma once

#include <cstdint>

#include "ir/aval.h"

namespace cotan {

class HloBuilder;

// An SSA value of a StableHLO function; see emit/hlo.h.
struct HloValue {
  int32_t id = -1;
};
using HloValues = SmallVector<HloValue, 4>;

}  // namespace cotan
