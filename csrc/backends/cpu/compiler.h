// The CPU backend's entrance: a jaxpr becomes an Executable whose run() is one
// native function. Equal jaxprs share one program; two threads that ask for
// the same one compile it once.
#pragma once

#include <string>
#include <vector>

#include "ir/jaxpr.h"
#include "runtime/executable.h"

namespace cotan::cpu {

struct CompileOptions {
  // Per input: the program may overwrite it. Empty: none.
  std::vector<bool> donated = {};
  bool fuse = true;
  // Compile sizes in where kernels are tiny.
  bool specialise_small = true;
  // Code for another CPU of this architecture ("haswell"); empty: this one.
  std::string cpu = {};

  bool operator==(const CompileOptions&) const = default;
};

__attribute__((visibility("default"))) Ref<Executable> compile_cpu(
    const JaxprRef& jaxpr, const CompileOptions& options = {});

// Programs and kernels that nobody uses any more are compiled again when they
// are next asked for. For tests of compile time and memory.
__attribute__((visibility("default"))) void clear_program_cache();

// Called between phases of a compilation, on the compiling thread; true
// abandons it with Error(interrupted). Null: never.
__attribute__((visibility("default"))) void set_compile_interrupt_check(
    bool (*check)()) noexcept;

}  // namespace cotan::cpu
