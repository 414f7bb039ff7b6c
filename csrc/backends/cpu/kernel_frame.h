// What a kernel function receives as ctx: built on the stack by the caller,
// read only. Chunk c runs grid iterations
// [c * grain, min((c + 1) * grain, grid)).
#pragma once

#include <cstdint>

namespace cotan::cpu {

struct KernelFrame {
  const int64_t* meta;
  char* parked;           // scratch of worker w starts at w * parked_stride
  int64_t parked_stride;  // bytes: parked_bytes(kernel)
  int64_t grid;
  int64_t grain;
  void* operands[1];  // as many as the kernel has
};

}  // namespace cotan::cpu
