// Our own declarations of XLA's ABI of custom calls (FFI, major version 0) and
// of the PJRT extension that registers them: what host_calls.cpp needs.
// tests/pjrt/test_abi.py checks them against a published header.
#pragma once

#include "backends/pjrt/abi.h"

namespace cotan::pjrt::abi {

constexpr int kFfiExtension = 5;  // type of the PJRT extension

struct RegisterHandlerArgs {
  size_t size = 0;
  const char* name = nullptr;
  size_t name_size = 0;
  void* handler = nullptr;
  const char* platform = nullptr;
  size_t platform_size = 0;
  int traits = 0;
};
struct FfiExtension {
  Extension base;
  void *type_register, *user_data_add;
  Error* (*register_handler)(RegisterHandlerArgs*);
};

struct FfiExtensionBase {
  size_t size;
  int type;
  FfiExtensionBase* next;
};
constexpr int kFfiMetadata = 1;
struct FfiVersion {
  size_t size;
  FfiExtensionBase* extension;
  int major, minor;
};
struct FfiMetadata {
  size_t size;
  FfiVersion version;
};
struct FfiMetadataExtension {
  FfiExtensionBase base;
  FfiMetadata* metadata;
};
struct FfiError;
struct FfiErrorArgs {
  size_t size;
  FfiExtensionBase* extension;
  const char* message;
  int code;
};
struct FfiApi {
  size_t size;
  FfiExtensionBase* extension;
  FfiVersion version;
  const void* internal;
  FfiError* (*error_create)(FfiErrorArgs*);
};
struct FfiBuffer {
  size_t size;
  FfiExtensionBase* extension;
  int type;
  void* data;
  int64_t rank;
  int64_t* dims;
};
struct FfiScalar {
  int type;
  void* value;
};
struct FfiBytes {
  const char* data;
  size_t size;
};
struct FfiBuffers {  // arguments and results
  size_t size;
  FfiExtensionBase* extension;
  int64_t count;
  int* types;
  FfiBuffer** buffers;
};
struct FfiAttributes {
  size_t size;
  FfiExtensionBase* extension;
  int64_t count;
  int* types;
  FfiBytes** names;
  void** values;
};
struct FfiFrame {
  size_t size;
  FfiExtensionBase* extension;
  const FfiApi* api;
  void* context;
  int stage;
  FfiBuffers in, out;
  FfiAttributes attributes;
};
using FfiHandler = FfiError* (*)(FfiFrame*);

}  // namespace cotan::pjrt::abi
