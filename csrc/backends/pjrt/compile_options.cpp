#include "backends/pjrt/compile_options.h"

#include <bit>

namespace cotan::pjrt {

namespace {

std::string varint(uint64_t v) {
  std::string out;
  do {
    out += char((v & 127) | (v > 127 ? 128 : 0));
    v >>= 7;
  } while (v);
  return out;
}
std::string number(int field, int64_t v) {
  return varint(uint64_t(field) << 3) + varint(uint64_t(v));
}
std::string bytes(int field, const std::string& s) {
  return varint(uint64_t(field) << 3 | 2) + varint(s.size()) + s;
}
std::string real(int field, double v) {
  std::string out = varint(uint64_t(field) << 3 | 1);
  auto bits = std::bit_cast<uint64_t>(v);
  for (int i = 0; i < 8; ++i) out += char(bits >> (8 * i));
  return out;
}

// OptionOverrideProto: one of string 1, bool 2, int64 3, double 4.
std::string override_value(const PluginValue& v) {
  if (auto* s = std::get_if<std::string>(&v)) return bytes(1, *s);
  if (auto* b = std::get_if<bool>(&v)) return number(2, *b);
  if (auto* i = std::get_if<int64_t>(&v)) return number(3, *i);
  if (auto* f = std::get_if<float>(&v)) return real(4, double(*f));
  throw_value("[pjrt] a compiler option must be a bool, a number or a string");
}

}  // namespace

std::string encode_compile_options(const CompileSettings& s) {
  // ExecutableBuildOptionsProto: num_replicas 4, num_partitions 5,
  // use_spmd_partitioning 6, device_assignment 9.
  std::string build = number(4, s.num_replicas) + number(5, s.num_partitions);
  if (s.num_partitions > 1) build += number(6, 1);
  if (s.device >= 0) {
    // DeviceAssignmentProto: replica_count 1, computation_count 2,
    // computation_devices 3 {replica_device_ids 1 (packed)}.
    build += bytes(9, number(1, 1) + number(2, 1) +
                          bytes(3, bytes(1, varint(uint64_t(s.device)))));
  }
  std::string out = bytes(3, build);
  for (const auto& [name, value] : s.flags)  // env_option_overrides: a map
    out += bytes(7, bytes(1, name) + bytes(2, override_value(value)));
  return out;
}

}  // namespace cotan::pjrt
