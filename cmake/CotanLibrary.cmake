# libcotan.so (all folders plus LLVM), its headers and its CMake package.

get_property(folders GLOBAL PROPERTY COTAN_FOLDERS)
set(objects "")
foreach(folder IN LISTS folders)
  list(APPEND objects $<TARGET_OBJECTS:${folder}>)
endforeach()

add_library(cotan SHARED ${objects})
target_link_libraries(cotan PRIVATE cotan_options ${COTAN_LLVM_LIBS})
target_include_directories(cotan INTERFACE "${PROJECT_SOURCE_DIR}/csrc")
set_target_properties(
  cotan PROPERTIES LIBRARY_OUTPUT_DIRECTORY "${COTAN_STAGE}/lib"
                   LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/libcotan.map")
target_link_options(
  cotan PRIVATE
  # numba, torch and jax bring an LLVM of their own into the same process:
  # ours must neither be seen by them nor bind to theirs.
  LINKER:--exclude-libs,ALL
  LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/libcotan.map
  # Functions only. Data (a primitive's record, whose address is its identity)
  # has to stay one object between libcotan and an executable that names it.
  LINKER:-Bsymbolic-functions
  LINKER:--gc-sections)
if(NOT COTAN_SANITIZE)
  # The sanitizers' runtime comes with the executable; else nothing is missing.
  target_link_options(cotan PRIVATE LINKER:-z,defs)
endif()
install(TARGETS cotan LIBRARY DESTINATION cotan/lib)

# Headers: csrc/x/y.h becomes include/cotan/x/y.h, with its includes rewritten
# from "x/y.h" to "cotan/x/y.h" so that users need one directory on their path.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/csrc"
     "${PROJECT_SOURCE_DIR}/csrc/*.h")
list(FILTER headers EXCLUDE REGEX "^(python|backends/[a-z]+|runtime/kernels)/")
list(TRANSFORM headers PREPEND "${PROJECT_SOURCE_DIR}/csrc/"
     OUTPUT_VARIABLE header_paths)
set(stamp "${PROJECT_BINARY_DIR}/headers.stamp")
set(script "${PROJECT_SOURCE_DIR}/cmake/stage_headers.cmake")
add_custom_command(
  OUTPUT "${stamp}"
  COMMAND ${CMAKE_COMMAND} "-DHEADERS=${headers}"
          -DFROM=${PROJECT_SOURCE_DIR}/csrc
          -DTO=${COTAN_STAGE}/include/cotan -P "${script}"
  COMMAND ${CMAKE_COMMAND} -E touch "${stamp}"
  DEPENDS ${header_paths} "${script}"
  COMMENT "Staging the public headers" VERBATIM)
add_custom_target(cotan_headers ALL DEPENDS "${stamp}")
install(DIRECTORY "${COTAN_STAGE}/include/" DESTINATION cotan/include)

include(CMakePackageConfigHelpers)
set(config "${COTAN_STAGE}/lib/cmake/cotan")
configure_file(cmake/cotanConfig.cmake.in "${config}/cotanConfig.cmake" @ONLY)
write_basic_package_version_file(
  "${config}/cotanConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(DIRECTORY "${config}/" DESTINATION cotan/lib/cmake/cotan)
