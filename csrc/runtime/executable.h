// Executable: a compiled program of any backend. Derived classes implement
// run(); execute() is the one place that turns buffers into pointers, so
// donation, aliasing and the arena are the same on every backend.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/ref.h"
#include "ir/aval.h"
#include "runtime/buffer.h"
#include "runtime/runtime.h"

namespace cotan {

struct InputSpec {
  Aval aval;
  bool donated = false;  // the program may overwrite it; dead after the call
};

struct OutputSpec {
  Aval aval;
  // Input whose memory this output takes over (that input is donated and has
  // as many bytes), or -1. The entry then sees in[alias] == out[this].
  int alias = -1;
  // Input that this output is, unchanged: the buffer is shared, and the entry
  // gets out[this] == null. Or -1.
  int forwards = -1;
};

struct RunOptions {
  Runtime* runtime = nullptr;  // null: default_runtime()
};

class Executable : public RefCounted {
 public:
  std::span<const InputSpec> inputs() const noexcept { return inputs_; }
  std::span<const OutputSpec> outputs() const noexcept { return outputs_; }
  // Scratch of one call, 64-byte aligned.
  size_t arena_bytes() const noexcept { return arena_bytes_; }
  Device* device() const noexcept { return device_; }

  // Runs on the caller's thread until done. in[i] and out[j] point to dense
  // row-major arrays on the device, 64-byte aligned except for foreign inputs,
  // which have the alignment of their elements. Safe from several threads at
  // once. Returns a Status.
  virtual int run(const void* const* in, void* const* out, void* arena,
                  Runtime* runtime) const = 0;

  // What the compiler made of the program, for people.
  virtual std::string text() const { return {}; }

  // Programs of devices that allocate their results themselves (PJRT) take
  // and give buffers; run() is not called then. Outputs may still be in the
  // making when this returns (Device::wait).
  virtual void run_buffers(std::span<Buffer* const> in,
                           std::span<Ref<Buffer>> out) const;

 protected:
  bool gives_buffers_ = false;

  Executable(Device* device, std::vector<InputSpec> inputs,
             std::vector<OutputSpec> outputs, size_t arena_bytes);

 private:
  std::vector<InputSpec> inputs_;
  std::vector<OutputSpec> outputs_;
  std::vector<size_t> output_bytes_;
  size_t arena_bytes_ = 0;
  Device* device_;
  bool simple_ = true;  // no donation, no forwarding

  friend void execute(const Executable&, std::span<Buffer* const>,
                      std::span<Ref<Buffer>>, const RunOptions&);
};

// Runs the program on buffers: one per input, already checked against the
// specs by the caller's signature. Fills `out` (one Ref per output). Donated
// inputs are deleted afterwards even if the program fails. Throws
// Error(runtime) for a deleted input, Error(memory), Error(interrupted).
void execute(const Executable& program, std::span<Buffer* const> in,
             std::span<Ref<Buffer>> out, const RunOptions& options = {});

}  // namespace cotan
