// What the GEMM test and benchmark share: compiling, epilogues to fuse, a
// spinning thread pool and memory on huge pages.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "backends/cpu/gemm/gemm_driver.h"
#include "backends/cpu/gemm/gemm_emitter.h"
#include "backends/cpu/jit.h"

namespace gemm_testing {

struct Compiled {
  cotan::cpu::GemmKernels kernels;
  double milliseconds = 0;  // of CPU time, to compile
  cotan::Ref<cotan::cpu::LoadedCode> code;
};
// cpu: "" for the host, else a name that LLVM knows.
Compiled compile(const cotan::cpu::GemmSpec& spec,
                 const cotan::cpu::Epilogue* epilogue,
                 const std::string& cpu = "");
std::string assembly(const cotan::cpu::GemmSpec& spec,
                     const cotan::cpu::Epilogue* epilogue);

// args: {bias f32[n], residual f32[batch, m, n], (int64*) {m * n, n}}.
enum class Fuse { none, bias_relu, residual_rolled, gelu, indices };
cotan::cpu::Epilogue epilogue(Fuse fuse);

class Pool {
 public:
  explicit Pool(int threads);
  ~Pool();
  cotan::cpu::GemmParallel parallel();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

std::shared_ptr<char> pages(int64_t bytes);
double wall_seconds();
double cpu_seconds();  // of this thread

}  // namespace gemm_testing
