// Our own declarations of the PJRT C ABI, major version 0: slot numbers and
// the layouts of the argument structs that we pass. Facts about an interface,
// under names of ours; tests/pjrt/test_abi.py checks them against a published
// header.
//
// A call is `Error* fn(Args*)`, null for success. Every struct begins with its
// size: we always pass the newest layout that we know, zero-filled, which older
// plugins accept. A slot exists where Api::size says so and it is not null.
#pragma once

#include <cstddef>
#include <cstdint>

namespace cotan::pjrt::abi {

struct Extension {
  size_t size;
  int type;
  Extension* next;
};
struct Version {
  size_t size;
  Extension* extension;
  int major, minor;
};
struct Api {
  size_t size;
  Extension* extension;
  Version version;
  void* slots[1];  // (size - 40) / 8 of them
};
static_assert(offsetof(Api, slots) == 40);

// Handles, opaque to us.
struct Error;
struct Event;
struct Client;
struct Device;
struct DeviceDescription;
struct Memory;
struct Executable;
struct LoadedExecutable;
struct Buffer;
struct TopologyDescription;

enum Slot : int {
  kErrorDestroy = 0,
  kErrorMessage = 1,
  kErrorGetCode = 2,
  kPluginInitialize = 3,
  kPluginAttributes = 4,
  kEventDestroy = 5,
  kEventIsReady = 6,
  kEventError = 7,
  kEventAwait = 8,
  kEventOnReady = 9,
  kClientCreate = 10,
  kClientDestroy = 11,
  kClientPlatformName = 12,
  kClientPlatformVersion = 14,
  kClientAddressableDevices = 16,
  kClientCompile = 20,
  kBufferFromHost = 22,
  kDescriptionId = 23,
  kDescriptionAttributes = 25,
  kDescriptionKind = 26,
  kDeviceGetDescription = 29,
  kDeviceMemories = 32,
  kDeviceMemoryStats = 34,
  kMemoryKind = 36,
  kExecutableDestroy = 40,
  kExecutableNumOutputs = 44,
  kExecutableCodeSize = 45,
  kExecutableCost = 46,
  kExecutableOptimizedProgram = 48,
  kExecutableSerialize = 49,
  kLoadedDestroy = 50,
  kLoadedGetExecutable = 51,
  kLoadedExecute = 55,
  kDeserializeAndLoad = 56,
  kBufferDestroy = 58,
  kBufferDimensions = 60,
  kBufferOnDeviceSize = 64,
  kBufferIsDeleted = 68,
  kBufferCopyToDevice = 69,
  kBufferToHost = 70,
  kBufferReadyEvent = 72,
  kBufferUnsafePointer = 73,
  kTopologyCreate = 82,
  kTopologyDestroy = 83,
  kTopologyPlatformName = 84,
  kTopologyPlatformVersion = 85,
  kTopologyDescriptions = 86,
  kTopologySerialize = 87,
  kTopologyAttributes = 88,
  kCompile = 89,
  kExecutableOutputTypes = 90,
  kExecutableOutputDimensions = 91,
  kExecutableFingerprint = 94,
  kExecutableMemoryStats = 96,
};

// PJRT_Buffer_Type
enum ElementType : int {
  kPred = 1,
  kS8,
  kS16,
  kS32,
  kS64,
  kU8,
  kU16,
  kU32,
  kU64,
  kF16,
  kF32,
  kF64,
  kBF16,
  kC64,
  kC128,
  kF8E5M2,
  kF8E4M3FN,
  kF8E4M3B11FNUZ,
  kF8E5M2FNUZ,
  kF8E4M3FNUZ,
  kS4,
  kU4,
  kToken,
  kS2,
  kU2,
  kF8E4M3,
  kF8E3M4,
  kF8E8M0FNU,
  kF4E2M1FN,
};
enum HostSemantics : int { kOnlyDuringCall = 0, kImmutableZeroCopy = 2 };
enum ValueType : int { kString, kInt64, kInt64List, kFloatValue, kBoolValue };
enum Code : int {
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
};

// How every argument struct starts.
struct Header {
  size_t size = 0;
  Extension* extension = nullptr;
};

struct NamedValue : Header {
  const char* name = nullptr;
  size_t name_size = 0;
  int type = 0;
  union {
    const char* s;
    int64_t i;
    const int64_t* list;
    float f;
    bool b;
  };
  size_t value_size = 0;
};

// ---- shapes of arguments that several slots share
struct HandleArgs : Header {  // destroy, await, error of, delete
  void* handle = nullptr;
};
struct HandleBool : HandleArgs {
  bool out = false;
};
struct HandleInt : HandleArgs {
  int out = 0;
};
struct HandleSize : HandleArgs {
  size_t out = 0;
};
struct HandlePointer : HandleArgs {
  void* out = nullptr;
};
struct HandleString : HandleArgs {
  const char* data = nullptr;
  size_t size_of_data = 0;
};
struct HandleList : HandleArgs {  // pointers, then their number
  void* const* items = nullptr;
  size_t count = 0;
};
struct HandleCounted : HandleArgs {  // their number, then the values
  size_t count = 0;
  const NamedValue* values = nullptr;
};
struct HandleValues : HandleArgs {
  const NamedValue* values = nullptr;
  size_t count = 0;
};

struct ErrorMessageArgs : Header {
  const Error* error = nullptr;
  const char* message = nullptr;
  size_t message_size = 0;
};
struct ErrorCodeArgs : Header {
  const Error* error = nullptr;
  int code = 0;
};
struct PluginAttributesArgs : Header {
  const NamedValue* values = nullptr;
  size_t count = 0;
};
struct OnReadyArgs : Header {
  Event* event = nullptr;
  void (*callback)(Error*, void*) = nullptr;
  void* argument = nullptr;
};
struct ClientCreateArgs : Header {
  const NamedValue* options = nullptr;
  size_t num_options = 0;
  void* key_value[4] = {};  // callbacks of multi-host set-ups and their data
  Client* client = nullptr;
  void* key_value_try[2] = {};
};
struct Program : Header {
  char* code = nullptr;
  size_t code_size = 0;
  const char* format = nullptr;
  size_t format_size = 0;
};
struct ClientCompileArgs : Header {
  Client* client = nullptr;
  const Program* program = nullptr;
  const char* options = nullptr;
  size_t options_size = 0;
  LoadedExecutable* out = nullptr;
};
struct CompileArgs : Header {
  const TopologyDescription* topology = nullptr;
  const Program* program = nullptr;
  const char* options = nullptr;
  size_t options_size = 0;
  Client* client = nullptr;
  Executable* out = nullptr;
};
struct TiledLayout : Header {
  const int64_t* minor_to_major = nullptr;
  size_t rank = 0;
  const int64_t* tile_dims = nullptr;
  const size_t* tile_dim_sizes = nullptr;
  size_t num_tiles = 0;
};
struct MemoryLayout : Header {
  TiledLayout tiled;  // or, smaller, strides
  int type = 0;       // 0: tiled
};
struct FromHostArgs : Header {
  Client* client = nullptr;
  const void* data = nullptr;
  int type = 0;
  const int64_t* dims = nullptr;
  size_t num_dims = 0;
  const int64_t* strides = nullptr;
  size_t num_strides = 0;
  int semantics = 0;
  Device* device = nullptr;
  Memory* memory = nullptr;
  MemoryLayout* device_layout = nullptr;
  Event* done_with_host = nullptr;
  Buffer* out = nullptr;
};
struct ToHostArgs : Header {
  Buffer* buffer = nullptr;
  MemoryLayout* host_layout = nullptr;
  void* to = nullptr;
  size_t to_size = 0;
  Event* event = nullptr;
};
struct ExecuteOptions : Header {
  void* send_callbacks = nullptr;
  void* recv_callbacks = nullptr;
  size_t num_send = 0, num_recv = 0;
  int launch_id = 0;
  const int64_t* non_donatable = nullptr;
  size_t num_non_donatable = 0;
  void* context = nullptr;
  const char* call_location = nullptr;
  size_t num_tasks = 0;
  int* task_ids = nullptr;
  int64_t* incarnation_ids = nullptr;
  void* multi_slice = nullptr;
};
struct ExecuteArgs : Header {
  LoadedExecutable* executable = nullptr;
  ExecuteOptions* options = nullptr;
  Buffer* const* const* arguments = nullptr;  // [device][argument]
  size_t num_devices = 0, num_arguments = 0;
  Buffer** const* outputs = nullptr;  // [device][output]
  Event** done = nullptr;
  Device* device = nullptr;
};
struct CopyToDeviceArgs : Header {
  Buffer* buffer = nullptr;
  Device* device = nullptr;
  Buffer* out = nullptr;
};
struct OptimizedProgramArgs : Header {
  Executable* executable = nullptr;
  Program* program = nullptr;
};
struct SerializeArgs : Header {
  const void* handle = nullptr;
  const char* data = nullptr;
  size_t size_of_data = 0;
  void* owner = nullptr;
  void (*release)(void*) = nullptr;
};
struct CompiledMemoryArgs : Header {
  Executable* executable = nullptr;
  int64_t code = 0, argument = 0, output = 0, alias = 0, temp = 0;
  int64_t host_code = 0, host_argument = 0, host_output = 0, host_alias = 0,
          host_temp = 0;
  int64_t peak = 0;
  int64_t newer[4] = {};
};
struct OutputTypesArgs : Header {
  Executable* executable = nullptr;
  const int* types = nullptr;
  size_t count = 0;
};
struct OutputDimensionsArgs : Header {
  Executable* executable = nullptr;
  size_t count = 0;
  const int64_t* dims = nullptr;  // of all outputs, one after another
  const size_t* ranks = nullptr;
};
struct DimensionsArgs : Header {
  Buffer* buffer = nullptr;
  const int64_t* dims = nullptr;
  size_t count = 0;
};
struct TopologyCreateArgs : Header {
  const char* name = nullptr;
  size_t name_size = 0;
  const NamedValue* options = nullptr;
  size_t num_options = 0;
  TopologyDescription* out = nullptr;
};
struct DeserializeArgs : Header {
  Client* client = nullptr;
  const char* data = nullptr;
  size_t size_of_data = 0;
  LoadedExecutable* out = nullptr;
  const char* options = nullptr;
  size_t options_size = 0;
};
struct DeviceMemoryArgs : Header {
  struct Optional {
    int64_t value;
    bool set;
  };
  Device* device = nullptr;
  int64_t in_use = 0;
  Optional peak{}, allocations{}, largest{}, limit{}, reserved{},
      peak_reserved{}, reservable{}, largest_free{}, pool{}, peak_pool{};
};

}  // namespace cotan::pjrt::abi
