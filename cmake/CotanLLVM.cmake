# The static LLVM of the pip package mlc-llvm-static, as the interface target
# cotan_llvm (for csrc/backends/cpu only) and the list COTAN_LLVM_LIBS.
# The package is asked where it is, so that a plain `pip install .` needs no
# arguments; LLVM_DIR given by hand wins.
if(NOT LLVM_DIR)
  foreach(what prefix cmake-dir)
    execute_process(
      COMMAND "${Python_EXECUTABLE}" -m mlc_llvm_static.config --${what}
      OUTPUT_VARIABLE ${what} OUTPUT_STRIP_TRAILING_WHITESPACE
      RESULT_VARIABLE failed)
    if(failed)
      message(FATAL_ERROR
        "LLVM was not found: ${Python_EXECUTABLE} has no mlc_llvm_static. "
        "Install it (pip install mlc-llvm-static) or set -DLLVM_DIR=...")
    endif()
  endforeach()
  # Not in the cache, and what find_package cached last time is forgotten:
  # the environment of an isolated pip build is gone the next time.
  set(LLVM_DIR "${cmake-dir}")
  foreach(entry ZLIB_LIBRARY_RELEASE ZLIB_INCLUDE_DIR zstd_DIR zstd_LIBRARY
                zstd_STATIC_LIBRARY zstd_INCLUDE_DIR)
    unset(${entry} CACHE)
  endforeach()
  list(PREPEND CMAKE_PREFIX_PATH "${prefix}")
  # The licenses of what libcotan contains travel with it.
  install(DIRECTORY "${prefix}/../licenses/" DESTINATION cotan/licenses
          FILES_MATCHING PATTERN "LLVM.txt" PATTERN "z*.txt")
endif()
set(ZLIB_USE_STATIC_LIBS ON)
find_package(LLVM CONFIG REQUIRED)
message(STATUS "LLVM ${LLVM_PACKAGE_VERSION}: ${LLVM_DIR}")

llvm_map_components_to_libnames(COTAN_LLVM_LIBS Core OrcJIT Support Passes
                                native)

add_library(cotan_llvm INTERFACE)
target_include_directories(cotan_llvm SYSTEM INTERFACE ${LLVM_INCLUDE_DIRS})
separate_arguments(llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
# LLVM itself is built without RTTI, so no class of ours may derive from one of
# LLVM's that is not a template; our own classes keep their type info, which
# the sanitizers read. Hidden: the templates of LLVM that these files
# instantiate stay inside libcotan.
target_compile_options(cotan_llvm INTERFACE ${llvm_definitions}
                                            -fvisibility=hidden
                                            -fvisibility-inlines-hidden)
