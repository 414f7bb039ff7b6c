#include "backends/cpu/target.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/SubtargetFeature.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>

namespace cotan::cpu {
namespace {

TargetSpec detect() {
  TargetSpec t;
  t.triple = llvm::sys::getProcessTriple();
  t.cpu = llvm::sys::getHostCPUName().str();
  llvm::SubtargetFeatures features;
  bool has = true;
  auto host = llvm::sys::getHostCPUFeatures();
  for (const auto& f : host) features.AddFeature(f.first(), f.second);
  for (const char* f : {"avx512f", "avx512bw", "avx512dq", "avx512vl"})
    has &= host.lookup(f);
  t.avx512 = has;
  t.features = features.getString();
#if defined(__aarch64__)
  t.vector_registers = 32;
#else
  t.vector_registers = has ? 32 : 16;
#endif
  return t;
}

TargetSpec named(const std::string& cpu) {
  TargetSpec t;
  t.triple = llvm::sys::getProcessTriple();
  t.cpu = cpu;
  t.avx512 = cpu.find("avx512") != std::string::npos || cpu == "x86-64-v4";
  t.vector_registers = t.avx512 ? 32 : 16;
  return t;
}

}  // namespace

const TargetSpec& named_target(const std::string& cpu) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<TargetSpec>> targets;
  std::lock_guard lock(mutex);
  std::unique_ptr<TargetSpec>& t = targets[cpu];
  if (!t) t = std::make_unique<TargetSpec>(named(cpu));
  return *t;
}

const TargetSpec& host_target() {
  static const TargetSpec& target = []() -> const TargetSpec& {
    const char* cpu = std::getenv("COTAN_CPU");
    if (cpu && *cpu) return named_target(cpu);
    static const TargetSpec host = detect();
    return host;
  }();
  return target;
}

}  // namespace cotan::cpu
