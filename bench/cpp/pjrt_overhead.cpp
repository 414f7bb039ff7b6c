// One call of a tiny program of a plugin, by three ways down: the bare C API,
// the Executable, and JitProgram, what jit is in C++. bench/pjrt.py compiles
// this into a library and adds Python's jit, in the same process on the same
// program and arrays.
#include <dlfcn.h>

#include <algorithm>

#include "api/program.h"
#include "backends/pjrt/executable.h"
#include "ops/lax.h"
#include "runtime/host.h"

namespace {

using namespace cotan;
namespace abi = cotan::pjrt::abi;

struct Setup {
  Device* device;
  Ref<JitProgram> program;
  Value x;
  abi::Api* api;
};
Setup setup;

template <class Args>
void call(abi::Slot slot, Args& a) {
  a.size = sizeof a;
  auto* f = reinterpret_cast<abi::Error* (*)(Args*)>(setup.api->slots[slot]);
  if (f(&a)) std::abort();
}

// Execute, await the event, destroy it and the result: nothing else.
void bare() {
  const auto& e = static_cast<const pjrt::PjrtExecutable&>(
      setup.program->executable_on(setup.device));
  auto* argument =
      static_cast<abi::Buffer*>(setup.x.as<ArrayObj>().buffer->data());
  abi::Buffer* const* arguments = &argument;
  abi::Buffer* result = nullptr;
  abi::Buffer** results = &result;
  abi::Event* done = nullptr;
  abi::ExecuteOptions options;
  options.size = sizeof options;
  abi::ExecuteArgs a;
  a.executable = e.handle();
  a.options = &options;
  a.arguments = &arguments;
  a.num_devices = a.num_arguments = 1;
  a.outputs = &results;
  a.done = &done;
  call(abi::kLoadedExecute, a);
  abi::HandleArgs event;
  event.handle = done;
  call(abi::kEventAwait, event);
  call(abi::kEventDestroy, event);
  abi::HandleArgs buffer;
  buffer.handle = result;
  call(abi::kBufferDestroy, buffer);
}

void executable() {
  const Executable& e = setup.program->executable_on(setup.device);
  Buffer* in[] = {setup.x.as<ArrayObj>().buffer.get()};
  Ref<Buffer> out[1];
  execute(e, in, out);
  setup.device->wait(out[0]->data());
}

void jit() {
  Value args[] = {setup.x};
  Values y = setup.program->run(args);
  setup.device->wait(y[0].as<ArrayObj>().buffer->data());
}

}  // namespace

// x is a float array on a plugin's device. Null, or what went wrong.
extern "C" const char* pjrt_overhead_setup(const char* plugin,
                                           const char* platform) {
  static std::string message;
  try {
    setup.device = find_device(platform);
    void* library = ::dlopen(plugin, RTLD_NOW | RTLD_LOCAL);
    setup.api =
        reinterpret_cast<abi::Api* (*)()>(::dlsym(library, "GetPjrtApi"))();
    Aval t{DType::f32, false, Shape{8}};
    JaxprRef j = make_jaxpr(
        [](std::span<const Value> x) -> Values {
          return {lax::add(x[0], lax::full(x[0].shape(), Literal::from_double(
                                                             DType::f32, 1)))};
        },
        {&t, 1});
    setup.program =
        make_ref<JitProgram>(TracedGraph{j, {}}, std::vector<bool>{}, "tiny");
    void* data;
    Value host = allocate_array(t, &data);
    std::fill_n(static_cast<float*>(data), 8, 1.f);
    setup.x = put_on(host, setup.device);
    jit();
    return nullptr;
  } catch (const std::exception& e) {
    message = e.what();
    return message.c_str();
  }
}

// Nanoseconds of one call: 0 bare, 1 executable, 2 jit.
extern "C" double pjrt_overhead_ns(int way, int calls) {
  void (*f)() = way == 0 ? bare : way == 1 ? executable : jit;
  int64_t start = now_ns();
  for (int i = 0; i < calls; ++i) f();
  return double(now_ns() - start) / calls;
}
