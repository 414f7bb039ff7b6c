// The CompileOptionsProto of XLA, written field by field: what we set is too
// little for a protobuf library.
#pragma once

#include <cstdint>
#include <string>

#include "backends/pjrt/plugin.h"

namespace cotan::pjrt {

struct CompileSettings {
  int64_t device = -1;  // global device id; -1: the plugin's choice
  int64_t num_replicas = 1, num_partitions = 1;
  PluginValues flags;  // XLA flags of this compilation
};

// Never empty: plugins abort on empty options.
std::string encode_compile_options(const CompileSettings& settings);

}  // namespace cotan::pjrt
