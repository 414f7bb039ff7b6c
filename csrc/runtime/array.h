// ArrayObj: a concrete, immutable array. Dense, row-major, on one device.
#pragma once

#include "base/error.h"
#include "ir/value.h"
#include "runtime/allocator.h"
#include "runtime/buffer.h"

namespace cotan {

class ArrayObj final : public ValueObj {
 public:
  ArrayObj(Aval a, Ref<Buffer> b)
      : ValueObj(ValueKind::array, std::move(a)), buffer(std::move(b)) {}
  const Ref<Buffer> buffer;

  // One comes and goes with every result: not malloc's business.
  static void* operator new(size_t bytes) { return allocate_bytes(bytes); }
  static void operator delete(void* p, size_t bytes) noexcept {
    free_bytes(p, bytes);
  }

  const void* host_data() const override {
    if (buffer->is_deleted()) [[unlikely]]
      throw_deleted();
    return buffer->device()->is_cpu() ? buffer->data() : nullptr;
  }
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
};

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
