// Arrays on devices: host copies, placement, transfers.
#include "runtime/array.h"

#include <span>

namespace cotan {

Buffer* ArrayObj::host_copy() const {
  Device* device = buffer->device();
  if (device->is_cpu()) return buffer.get();
  if (Buffer* made = host_copy_.load(std::memory_order_acquire)) return made;
  Ref<Buffer> copy = Buffer::allocate(buffer->size());
  device->copy_to_host(copy->data(), buffer->data(), buffer->size());
  Buffer* expected = nullptr;
  if (host_copy_.compare_exchange_strong(expected, copy.get(),
                                         std::memory_order_acq_rel))
    return copy.detach();
  return expected;  // another thread was faster
}

Device* placement(std::span<const Value> values) {
  const ArrayObj* found = nullptr;
  for (const Value& v : values) {
    if (!v || v->kind != ValueKind::array) continue;
    const auto& a = v.as<ArrayObj>();
    if (!a.committed) continue;
    if (found && found->buffer->device() != a.buffer->device())
      throw_value("Received incompatible devices for jitted computation. Got ",
                  "arrays on ", found->buffer->device()->name(), " and on ",
                  a.buffer->device()->name(),
                  "; move one of them with device_put");
    found = &a;
  }
  return found ? found->buffer->device() : default_device();
}

bool any_committed(std::span<const Value> values) noexcept {
  for (const Value& v : values)
    if (v && v->kind == ValueKind::array && v.as<ArrayObj>().committed)
      return true;
  return false;
}

Ref<Buffer> buffer_on(const Value& v, Device* device) {
  if (v->kind != ValueKind::array) {
    COTAN_CHECK(v->kind == ValueKind::scalar);
    return Buffer::upload(v.aval(), v->host_data(), nullptr, device);
  }
  const auto& a = v.as<ArrayObj>();
  if (a.buffer->is_deleted()) a.throw_deleted();
  Device* from = a.buffer->device();
  if (from == device || (from->is_cpu() && device->is_cpu())) return a.buffer;
  if (device->is_cpu()) return Ref<Buffer>(a.host_copy());
  if (!from->is_cpu())
    if (void* copy = device->copy_from_device(a.buffer->data(), from))
      return Buffer::adopt(copy, a.buffer->size(), device);
  Buffer* host = a.host_copy();
  return Buffer::upload(v.aval(), host->data(), host, device);
}

Value put_on(const Value& v, Device* device) {
  return make_ref<ArrayObj>(v.aval(), buffer_on(v, device), true);
}

Device* device_of(const Value& v) {
  if (v && v->kind == ValueKind::array)
    return v.as<ArrayObj>().buffer->device();
  return default_device();
}

}  // namespace cotan
