#include "runtime/executable.h"

#include <cstring>

#include "base/error.h"

namespace cotan {
namespace {

// Arena of one call: from the allocator of the CPU, or from the device.
class Arena {
 public:
  Arena(Device* device, size_t bytes) : device_(device), bytes_(bytes) {
    if (bytes == 0) return;
    data_ = device->is_cpu() ? allocate_bytes(bytes) : device->allocate(bytes);
  }
  ~Arena() {
    if (!data_) return;
    if (device_->is_cpu())
      free_bytes(data_, bytes_);
    else
      device_->deallocate(data_, bytes_);
  }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  void* data() const noexcept { return data_; }

 private:
  Device* device_;
  size_t bytes_;
  void* data_ = nullptr;
};

[[noreturn, gnu::noinline]] void deleted_input(const Executable& e, size_t i) {
  throw_runtime("[run] Array has been deleted with shape=",
                dtype_name(e.inputs()[i].aval.dtype),
                shape_string(e.inputs()[i].aval.shape), ", argument ", i,
                "; it was donated to an earlier call, use that call's result");
}

}  // namespace

Executable::Executable(Device* device, std::vector<InputSpec> inputs,
                       std::vector<OutputSpec> outputs, size_t arena_bytes)
    : inputs_(std::move(inputs)),
      outputs_(std::move(outputs)),
      arena_bytes_(arena_bytes),
      device_(device) {
  for (const InputSpec& s : inputs_) simple_ &= !s.donated;
  for (const OutputSpec& s : outputs_) {
    simple_ &= s.alias < 0 && s.forwards < 0;
    output_bytes_.push_back(size_t(s.aval.nbytes()));
    int from = s.alias >= 0 ? s.alias : s.forwards;
    COTAN_CHECK(from < int(inputs_.size()));
    if (s.alias >= 0) {
      const InputSpec& in = inputs_[size_t(s.alias)];
      COTAN_CHECK(in.donated && in.aval.nbytes() == s.aval.nbytes());
    }
  }
}

void Executable::run_buffers(std::span<Buffer* const>,
                             std::span<Ref<Buffer>>) const {
  check_failed(__FILE__, __LINE__, "run_buffers");
}

namespace {

// A donated input's memory for output j: moved, or copied where it cannot be
// written (foreign memory, a buffer that is given twice).
Ref<Buffer> take_input(const Executable& program, std::span<Buffer* const> in,
                       size_t i, const void* data) {
  int uses = 0;
  for (Buffer* b : in) uses += b == in[i];
  if (uses == 1) {
    if (Ref<Buffer> moved = in[i]->donate()) return moved;
  }
  Ref<Buffer> copy = Buffer::allocate(in[i]->size(), program.device());
  if (in[i]->size())
    program.device()->copy_within(copy->data(), data, in[i]->size());
  return copy;
}

// Outputs that take over or forward an input.
void bind_donations(const Executable& program, std::span<Buffer* const> in,
                    std::span<Ref<Buffer>> out, const void** in_ptr) {
  std::span<const OutputSpec> specs = program.outputs();
  for (size_t j = 0; j < specs.size(); ++j) {
    const OutputSpec& s = specs[j];
    if (s.alias < 0 && s.forwards < 0) continue;
    size_t i = size_t(s.alias >= 0 ? s.alias : s.forwards);
    if (s.forwards >= 0) {
      for (size_t k = 0; k < j; ++k)
        if (specs[k].forwards == s.forwards) out[j] = out[k];
      if (!program.inputs()[i].donated) out[j] = Ref<Buffer>(in[i]);
      if (out[j]) continue;
    }
    out[j] = take_input(program, in, i, in_ptr[i]);
    in_ptr[i] = out[j]->data();
  }
}

}  // namespace

void execute(const Executable& program, std::span<Buffer* const> in,
             std::span<Ref<Buffer>> out, const RunOptions& options) {
  COTAN_CHECK(in.size() == program.inputs_.size() &&
              out.size() == program.outputs_.size());
  if (program.gives_buffers_) {
    for (size_t i = 0; i < in.size(); ++i)
      if (in[i]->is_deleted()) deleted_input(program, i);
    program.run_buffers(in, out);
    return;
  }
  SmallVector<const void*, 16> in_ptr;
  SmallVector<void*, 16> out_ptr;
  in_ptr.reserve(in.size());
  out_ptr.reserve(out.size());
  for (size_t i = 0; i < in.size(); ++i) {
    if (in[i]->is_deleted()) [[unlikely]]
      deleted_input(program, i);
    in_ptr.push_back(in[i]->data());
  }
  for (Ref<Buffer>& b : out) b = nullptr;
  if (!program.simple_) bind_donations(program, in, out, in_ptr.data());
  for (size_t j = 0; j < out.size(); ++j) {
    const OutputSpec& s = program.outputs_[j];
    if (s.alias < 0 && s.forwards < 0)
      out[j] = Buffer::allocate(program.output_bytes_[j], program.device_);
    out_ptr.push_back(s.forwards < 0 ? out[j]->data() : nullptr);
  }
  int status;
  {
    Arena arena(program.device_, program.arena_bytes_);
    Runtime* rt = options.runtime ? options.runtime : &default_runtime();
    status = program.run(in_ptr.data(), out_ptr.data(), arena.data(), rt);
  }
  if (!program.simple_) {
    for (size_t i = 0; i < in.size(); ++i)
      if (program.inputs_[i].donated && !in[i]->is_deleted())
        in[i]->mark_deleted();
  }
  if (status != kOk) [[unlikely]] {
    for (Ref<Buffer>& b : out) b = nullptr;
    check_status(status);
  }
}

}  // namespace cotan
