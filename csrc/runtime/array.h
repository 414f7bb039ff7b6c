// ArrayObj: a concrete, immutable array. Dense, row-major, on one device.
#pragma once

#include "base/error.h"
#include "ir/value.h"
#include "runtime/allocator.h"
#include "runtime/buffer.h"

namespace cotan {

class ArrayObj final : public ValueObj {
 public:
  ArrayObj(Aval a, Ref<Buffer> b, bool on_purpose = false)
      : ValueObj(ValueKind::array, std::move(a)),
        committed(on_purpose),
        buffer(std::move(b)) {}
  ~ArrayObj() override {
    if (Buffer* copy = host_copy_.load(std::memory_order_relaxed))
      copy->release();
  }
  // Put on its device by the user, or computed from such: it does not move.
  const bool committed;
  const Ref<Buffer> buffer;

  // One comes and goes with every result: not malloc's business.
  static void* operator new(size_t bytes) { return allocate_bytes(bytes); }
  static void operator delete(void* p, size_t bytes) noexcept {
    free_bytes(p, bytes);
  }

  const void* host_data() const override {
    if (buffer->is_deleted()) [[unlikely]]
      throw_deleted();
    return buffer->device()->is_cpu() ? buffer->data() : host_copy()->data();
  }
  // The elements in host memory: of an array on another device a copy, made
  // once. Waits for the array to be computed.
  Buffer* host_copy() const;
  [[noreturn]] void throw_deleted() const {
    throw_runtime("Array has been deleted with shape=", short_name(), ".");
  }

 private:
  std::string short_name() const {  // "float32[2,3]"
    std::string out(dtype_name(aval.dtype));
    out += '[';
    append_joined(out, aval.shape, ",");
    return out += ']';
  }
  mutable std::atomic<Buffer*> host_copy_{nullptr};
};

// ---- placement. Arrays that nobody put anywhere follow those that were put,
// else they go to the default device.

// Where an operation on these values runs. Throws Error(value) for values that
// were put on different devices.
Device* placement(std::span<const Value> values);
bool any_committed(std::span<const Value> values) noexcept;
// The buffer of a concrete value on a device, copied there if need be.
Ref<Buffer> buffer_on(const Value& v, Device* device);
// The value on a device, for good.
Value put_on(const Value& v, Device* device);
Device* device_of(const Value& v);

// A new array of uninitialised memory on the CPU, and where to write.
inline Value allocate_array(const Aval& aval, void** data) {
  auto buffer = Buffer::allocate(size_t(aval.nbytes()));
  *data = buffer->data();
  return make_ref<ArrayObj>(aval, std::move(buffer));
}

// The buffer of a concrete value; a scalar constant gets one.
inline Ref<Buffer> buffer_of(const Value& v) {
  if (v->kind == ValueKind::array) return v.as<ArrayObj>().buffer;
  COTAN_CHECK(v->kind == ValueKind::scalar);
  return Buffer::copy_of(v->host_data(), size_t(itemsize(v.dtype())));
}

}  // namespace cotan
