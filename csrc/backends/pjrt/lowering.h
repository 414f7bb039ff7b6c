// A jaxpr as a StableHLO module in text. Per equation: the primitive's `hlo`
// rule, StableHLO's own operation for an elementwise primitive, the `.scalar`
// body, what the slots concat, reduction and inlined say, or `expand`. Jaxprs
// that are called become private functions; equal ones are written once.
//
// Sharding has its place in the attributes of @main's arguments and results
// (LowerOptions), which is where sdy annotations go.
#pragma once

#include <string>
#include <vector>

#include "ir/jaxpr.h"

namespace cotan::pjrt {

class HostCalls;

struct LowerOptions {
  std::string name = "jit";
  std::vector<bool> donated;  // per input
  // Where calls of the host are collected; null: the target has no way.
  HostCalls* host_calls = nullptr;
};

struct HloModule {
  std::string text;
  std::vector<int> aliases;  // per output: the donated input it may reuse, -1
  // The equations of @main by their first line (from 1), for error messages.
  struct Line {
    int line;
    std::string op, source;
  };
  std::vector<Line> lines;
  // "[op] (file:line)" of a line of text, or "".
  std::string origin(int line) const;
};

HloModule lower_to_stablehlo(const Jaxpr& j, const LowerOptions& options = {});

// Refuses text that would end the process inside some plugins: dynamic
// dimensions, functions that call themselves, no @main. Throws Error(value).
void check_module_text(std::string_view text);

}  // namespace cotan::pjrt
