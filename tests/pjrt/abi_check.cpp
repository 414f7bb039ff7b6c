// Compares csrc/backends/pjrt/abi.h with a published pjrt_c_api.h: offsets of
// last fields and slot numbers, as static_asserts. Built by test_abi.py.
#include <pjrt_c_api.h>

#include "backends/pjrt/abi.h"

namespace abi = cotan::pjrt::abi;

#pragma GCC diagnostic ignored "-Winvalid-offsetof"

#define SLOT(OURS, THEIRS)                    \
  static_assert(offsetof(PJRT_Api, THEIRS) == \
                offsetof(abi::Api, slots) + 8 * size_t(abi::OURS))
// Our field lies where theirs does.
#define AT(OURS, FIELD, THEIRS, OTHER) \
  static_assert(offsetof(abi::OURS, FIELD) == offsetof(THEIRS, OTHER))

SLOT(kErrorDestroy, PJRT_Error_Destroy);
SLOT(kErrorMessage, PJRT_Error_Message);
SLOT(kErrorGetCode, PJRT_Error_GetCode);
SLOT(kPluginInitialize, PJRT_Plugin_Initialize);
SLOT(kPluginAttributes, PJRT_Plugin_Attributes);
SLOT(kEventDestroy, PJRT_Event_Destroy);
SLOT(kEventIsReady, PJRT_Event_IsReady);
SLOT(kEventError, PJRT_Event_Error);
SLOT(kEventAwait, PJRT_Event_Await);
SLOT(kEventOnReady, PJRT_Event_OnReady);
SLOT(kClientCreate, PJRT_Client_Create);
SLOT(kClientDestroy, PJRT_Client_Destroy);
SLOT(kClientPlatformName, PJRT_Client_PlatformName);
SLOT(kClientPlatformVersion, PJRT_Client_PlatformVersion);
SLOT(kClientAddressableDevices, PJRT_Client_AddressableDevices);
SLOT(kClientCompile, PJRT_Client_Compile);
SLOT(kBufferFromHost, PJRT_Client_BufferFromHostBuffer);
SLOT(kDescriptionId, PJRT_DeviceDescription_Id);
SLOT(kDescriptionAttributes, PJRT_DeviceDescription_Attributes);
SLOT(kDescriptionKind, PJRT_DeviceDescription_Kind);
SLOT(kDeviceGetDescription, PJRT_Device_GetDescription);
SLOT(kDeviceMemories, PJRT_Device_AddressableMemories);
SLOT(kDeviceMemoryStats, PJRT_Device_MemoryStats);
SLOT(kMemoryKind, PJRT_Memory_Kind);
SLOT(kExecutableDestroy, PJRT_Executable_Destroy);
SLOT(kExecutableNumOutputs, PJRT_Executable_NumOutputs);
SLOT(kExecutableCodeSize, PJRT_Executable_SizeOfGeneratedCodeInBytes);
SLOT(kExecutableCost, PJRT_Executable_GetCostAnalysis);
SLOT(kExecutableOptimizedProgram, PJRT_Executable_OptimizedProgram);
SLOT(kExecutableSerialize, PJRT_Executable_Serialize);
SLOT(kLoadedDestroy, PJRT_LoadedExecutable_Destroy);
SLOT(kLoadedGetExecutable, PJRT_LoadedExecutable_GetExecutable);
SLOT(kLoadedExecute, PJRT_LoadedExecutable_Execute);
SLOT(kDeserializeAndLoad, PJRT_Executable_DeserializeAndLoad);
SLOT(kBufferDestroy, PJRT_Buffer_Destroy);
SLOT(kBufferDimensions, PJRT_Buffer_Dimensions);
SLOT(kBufferOnDeviceSize, PJRT_Buffer_OnDeviceSizeInBytes);
SLOT(kBufferIsDeleted, PJRT_Buffer_IsDeleted);
SLOT(kBufferCopyToDevice, PJRT_Buffer_CopyToDevice);
SLOT(kBufferToHost, PJRT_Buffer_ToHostBuffer);
SLOT(kBufferReadyEvent, PJRT_Buffer_ReadyEvent);
SLOT(kBufferUnsafePointer, PJRT_Buffer_UnsafePointer);
SLOT(kTopologyCreate, PJRT_TopologyDescription_Create);
SLOT(kTopologyDestroy, PJRT_TopologyDescription_Destroy);
SLOT(kTopologyPlatformName, PJRT_TopologyDescription_PlatformName);
SLOT(kTopologyPlatformVersion, PJRT_TopologyDescription_PlatformVersion);
SLOT(kTopologyDescriptions, PJRT_TopologyDescription_GetDeviceDescriptions);
SLOT(kTopologySerialize, PJRT_TopologyDescription_Serialize);
SLOT(kTopologyAttributes, PJRT_TopologyDescription_Attributes);
SLOT(kCompile, PJRT_Compile);
SLOT(kExecutableOutputTypes, PJRT_Executable_OutputElementTypes);
SLOT(kExecutableOutputDimensions, PJRT_Executable_OutputDimensions);
SLOT(kExecutableFingerprint, PJRT_Executable_Fingerprint);
SLOT(kExecutableMemoryStats, PJRT_Executable_GetCompiledMemoryStats);

AT(NamedValue, value_size, PJRT_NamedValue, value_size);
AT(NamedValue, i, PJRT_NamedValue, int64_value);
AT(ErrorMessageArgs, message_size, PJRT_Error_Message_Args, message_size);
AT(ErrorCodeArgs, code, PJRT_Error_GetCode_Args, code);
AT(PluginAttributesArgs, count, PJRT_Plugin_Attributes_Args, num_attributes);
AT(HandleArgs, handle, PJRT_Event_Await_Args, event);
AT(HandleBool, out, PJRT_Event_IsReady_Args, is_ready);
AT(OnReadyArgs, argument, PJRT_Event_OnReady_Args, user_arg);
AT(ClientCreateArgs, client, PJRT_Client_Create_Args, client);
AT(HandleString, size_of_data, PJRT_Client_PlatformName_Args,
   platform_name_size);
AT(HandleList, items, PJRT_Client_AddressableDevices_Args, addressable_devices);
AT(HandleList, count, PJRT_Device_AddressableMemories_Args, num_memories);
AT(HandleInt, out, PJRT_DeviceDescription_Id_Args, id);
AT(HandleCounted, values, PJRT_DeviceDescription_Attributes_Args, attributes);
AT(HandleCounted, count, PJRT_Executable_GetCostAnalysis_Args, num_properties);
AT(HandleValues, count, PJRT_TopologyDescription_Attributes_Args,
   num_attributes);
AT(HandlePointer, out, PJRT_Device_GetDescription_Args, device_description);
AT(HandlePointer, out, PJRT_Buffer_ReadyEvent_Args, event);
AT(HandlePointer, out, PJRT_LoadedExecutable_GetExecutable_Args, executable);
AT(HandlePointer, out, PJRT_Buffer_UnsafePointer_Args, buffer_pointer);
AT(Program, format_size, PJRT_Program, format_size);
AT(ClientCompileArgs, out, PJRT_Client_Compile_Args, executable);
AT(CompileArgs, out, PJRT_Compile_Args, executable);
AT(TiledLayout, num_tiles, PJRT_Buffer_MemoryLayout_Tiled, num_tiles);
AT(MemoryLayout, type, PJRT_Buffer_MemoryLayout, type);
AT(FromHostArgs, device_layout, PJRT_Client_BufferFromHostBuffer_Args,
   device_layout);
AT(FromHostArgs, out, PJRT_Client_BufferFromHostBuffer_Args, buffer);
AT(ToHostArgs, event, PJRT_Buffer_ToHostBuffer_Args, event);
AT(ExecuteOptions, context, PJRT_ExecuteOptions, context);
AT(ExecuteArgs, device, PJRT_LoadedExecutable_Execute_Args, execute_device);
AT(CopyToDeviceArgs, out, PJRT_Buffer_CopyToDevice_Args, dst_buffer);
AT(OptimizedProgramArgs, program, PJRT_Executable_OptimizedProgram_Args,
   program);
AT(SerializeArgs, release, PJRT_Executable_Serialize_Args,
   serialized_executable_deleter);
AT(CompiledMemoryArgs, host_temp, PJRT_Executable_GetCompiledMemoryStats_Args,
   host_temp_size_in_bytes);
AT(OutputTypesArgs, count, PJRT_Executable_OutputElementTypes_Args,
   num_output_types);
AT(OutputDimensionsArgs, ranks, PJRT_Executable_OutputDimensions_Args,
   dim_sizes);
AT(DimensionsArgs, count, PJRT_Buffer_Dimensions_Args, num_dims);
AT(TopologyCreateArgs, out, PJRT_TopologyDescription_Create_Args, topology);
AT(DeserializeArgs, options_size, PJRT_Executable_DeserializeAndLoad_Args,
   overridden_serialized_compile_options_size);
AT(DeviceMemoryArgs, peak_pool.set, PJRT_Device_MemoryStats_Args,
   peak_pool_bytes_is_set);

static_assert(int(abi::kC128) == int(PJRT_Buffer_Type_C128));
static_assert(int(abi::kBF16) == int(PJRT_Buffer_Type_BF16));
static_assert(int(abi::kPred) == int(PJRT_Buffer_Type_PRED));
