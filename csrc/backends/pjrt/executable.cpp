#include "backends/pjrt/executable.h"

namespace cotan::pjrt {

using namespace abi;

PjrtExecutable::PjrtExecutable(PjrtDevice* device, LoadedExecutable* loaded,
                               std::vector<InputSpec> in,
                               std::vector<OutputSpec> out,
                               Ref<HostCalls> host_calls)
    : cotan::Executable(device, std::move(in), std::move(out), 0),
      device_(device),
      loaded_(loaded),
      host_calls_(std::move(host_calls)) {
  gives_buffers_ = true;
}

PjrtExecutable::~PjrtExecutable() {
  device_->client().plugin().destroy(kLoadedDestroy, loaded_);
}

int PjrtExecutable::run(const void* const*, void* const*, void*,
                        Runtime*) const {
  throw_not_implemented(
      "[pjrt] a program of a plugin runs on arrays of its device, not on raw "
      "memory");
}

void PjrtExecutable::run_buffers(std::span<cotan::Buffer* const> in,
                                 std::span<Ref<cotan::Buffer>> out) const {
  SmallVector<abi::Buffer*, 32> arguments, results;
  SmallVector<int64_t, 8> kept;  // donated inputs that must survive
  std::span<const InputSpec> specs = inputs();
  bool donates = false;
  arguments.reserve(in.size());
  for (size_t i = 0; i < in.size(); ++i) {
    arguments.push_back(static_cast<abi::Buffer*>(in[i]->data()));
    if (!specs[i].donated) continue;
    donates = true;
    for (size_t k = 0; k < in.size(); ++k) {
      // One buffer given twice cannot be given away.
      if (k != i && in[k] == in[i]) {
        kept.push_back(int64_t(i));
        break;
      }
    }
  }
  results.resize(out.size());
  ExecuteOptions options;
  options.size = sizeof options;
  options.non_donatable = kept.data();
  options.num_non_donatable = kept.size();
  ExecuteArgs a;
  a.executable = loaded_;
  a.options = &options;
  abi::Buffer* const* argument_list = arguments.data();
  abi::Buffer** result_list = results.data();
  a.arguments = &argument_list;
  a.num_devices = 1;
  a.num_arguments = arguments.size();
  a.outputs = &result_list;
  // Calls of the host are over when this returns: effects of two programs do
  // not mix, and what they throw is thrown here.
  Event* done = nullptr;
  if (host_calls_) a.done = &done;
  const Plugin& plugin = device_->client().plugin();
  abi::Error* e = plugin.call_raw(kLoadedExecute, a);
  if (donates) {
    for (size_t i = 0; i < in.size(); ++i)
      if (specs[i].donated && !in[i]->is_deleted()) in[i]->mark_deleted();
  }
  if (done) {
    HandleArgs wait;
    wait.handle = done;
    e = plugin.call_raw(kEventAwait, wait);
    plugin.destroy(kEventDestroy, done);
    if (e)
      for (abi::Buffer* b : results) plugin.destroy(kBufferDestroy, b);
  }
  if (e) {
    Plugin::Failure f = plugin.take(e);
    if (host_calls_) host_calls_->rethrow(f.message);
    plugin.fail(f, cat("running a program on ", device_->name()));
  }
  for (size_t j = 0; j < out.size(); ++j)
    out[j] = cotan::Buffer::adopt(results[j],
                                  size_t(outputs()[j].aval.nbytes()), device_);
}

// ---- facts

ProgramFacts program_facts(const Plugin& plugin, abi::Executable* e) {
  ProgramFacts f;
  // A slot that this plugin does not implement leaves its part empty.
  auto ask = [&](Slot slot, auto& args, std::string_view what) {
    if (!plugin.has(slot)) return false;
    abi::Error* error = plugin.call_raw(slot, args);
    if (!error) return true;
    Plugin::Failure failure = plugin.take(error);
    if (failure.code != kUnimplemented) plugin.fail(failure, what);
    return false;
  };
  HandleCounted cost;
  cost.handle = e;
  if (ask(kExecutableCost, cost, "cost analysis"))
    f.cost = read_values(cost.values, cost.count);
  CompiledMemoryArgs m;
  m.executable = e;
  if (ask(kExecutableMemoryStats, m, "memory analysis")) {
    f.memory = {{"generated_code_size_in_bytes", m.code},
                {"argument_size_in_bytes", m.argument},
                {"output_size_in_bytes", m.output},
                {"alias_size_in_bytes", m.alias},
                {"temp_size_in_bytes", m.temp},
                {"host_argument_size_in_bytes", m.host_argument},
                {"host_output_size_in_bytes", m.host_output},
                {"host_temp_size_in_bytes", m.host_temp},
                {"peak_memory_in_bytes", m.peak}};
  }
  HandleSize code;
  code.handle = e;
  if (ask(kExecutableCodeSize, code, "code size"))
    f.code_bytes = int64_t(code.out);
  HandleString print;
  print.handle = e;
  if (ask(kExecutableFingerprint, print, "fingerprint") && print.data)
    f.fingerprint.assign(print.data, print.size_of_data);
  return f;
}

std::string serialize(const Plugin& plugin, abi::Executable* e) {
  SerializeArgs a;
  a.handle = e;
  plugin.call(kExecutableSerialize, a, "serializing a program");
  std::string out(a.data, a.size_of_data);
  if (a.release) a.release(a.owner);
  return out;
}

std::string optimized_program(const Plugin& plugin, abi::Executable* e,
                              std::string* format) {
  Program p;
  p.size = sizeof p;
  OptimizedProgramArgs a;
  a.executable = e;
  a.program = &p;
  plugin.call(kExecutableOptimizedProgram, a, "the optimised program");
  std::string code(p.code_size, '\0');
  p.code = code.data();
  plugin.call(kExecutableOptimizedProgram, a, "the optimised program");
  format->assign(p.format, p.format_size);
  return code;
}

}  // namespace cotan::pjrt
