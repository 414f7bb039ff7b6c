// Compares csrc/backends/pjrt/ffi_abi.h with jaxlib's xla/ffi/api/c_api.h, as
// static_asserts. Built by test_abi.py.
#include "backends/pjrt/ffi_abi.h"
#include "xla/ffi/api/c_api.h"

namespace abi = cotan::pjrt::abi;

// Our field lies where theirs does.
#define AT(OURS, FIELD, THEIRS, OTHER) \
  static_assert(offsetof(abi::OURS, FIELD) == offsetof(THEIRS, OTHER))

AT(FfiExtensionBase, next, XLA_FFI_Extension_Base, next);
AT(FfiVersion, minor, XLA_FFI_Api_Version, minor_version);
AT(FfiMetadata, version, XLA_FFI_Metadata, api_version);
AT(FfiMetadataExtension, metadata, XLA_FFI_Metadata_Extension, metadata);
AT(FfiErrorArgs, code, XLA_FFI_Error_Create_Args, errc);
AT(FfiApi, version, XLA_FFI_Api, api_version);
AT(FfiApi, error_create, XLA_FFI_Api, XLA_FFI_Error_Create);
AT(FfiBuffer, data, XLA_FFI_Buffer, data);
AT(FfiBuffer, dims, XLA_FFI_Buffer, dims);
AT(FfiScalar, value, XLA_FFI_Scalar, value);
AT(FfiBytes, size, XLA_FFI_ByteSpan, len);
AT(FfiBuffers, count, XLA_FFI_Args, size);
AT(FfiBuffers, buffers, XLA_FFI_Args, args);
AT(FfiBuffers, buffers, XLA_FFI_Rets, rets);
AT(FfiAttributes, names, XLA_FFI_Attrs, names);
AT(FfiAttributes, values, XLA_FFI_Attrs, attrs);
AT(FfiFrame, api, XLA_FFI_CallFrame, api);
AT(FfiFrame, in, XLA_FFI_CallFrame, args);
AT(FfiFrame, out, XLA_FFI_CallFrame, rets);
AT(FfiFrame, attributes, XLA_FFI_CallFrame, attrs);

static_assert(abi::kFfiMetadata == XLA_FFI_Extension_Metadata);
static_assert(XLA_FFI_API_MAJOR == 0);
