# Compiler settings that every cotan target shares, as the interface target
# cotan_options, and the place that the finished package is written to.

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)

# A compiler cache is used where there is one and never asked for.
find_program(COTAN_CCACHE ccache)
mark_as_advanced(COTAN_CCACHE)
if(COTAN_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${COTAN_CCACHE}")
endif()

find_package(Threads REQUIRED)

add_library(cotan_options INTERFACE)
target_include_directories(cotan_options INTERFACE "${PROJECT_SOURCE_DIR}/csrc")
target_link_libraries(cotan_options INTERFACE Threads::Threads
                                              ${CMAKE_DL_LIBS})
target_compile_options(
  cotan_options
  INTERFACE -Wall -Wextra
            # The same bits on every host: a*b+c is contracted where we write
            # fma and nowhere else.
            -ffp-contract=off
            # Nobody replaces our functions at load time: inline them.
            -fno-semantic-interposition
            # Lets the linker drop what nothing reaches (--gc-sections).
            -ffunction-sections -fdata-sections)
if(COTAN_WERROR)
  target_compile_options(cotan_options INTERFACE -Werror)
endif()
if(COTAN_SANITIZE)
  set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=all)
  # Unoptimised: the tests are small, compiling with checks is the time (12 s
  # of a sorting kernel at -O1 -g, 1.4 s here). -g1 is enough for a backtrace.
  target_compile_options(cotan_options INTERFACE ${sanitize} -g1 -O0
                                                 -fno-omit-frame-pointer)
  target_link_options(cotan_options INTERFACE ${sanitize})
endif()

# The package as it will be imported: cotan/{*.so, lib/, include/}.
if(COTAN_IN_PLACE)
  set(COTAN_STAGE "${PROJECT_SOURCE_DIR}/python/cotan")
else()
  set(COTAN_STAGE "${PROJECT_BINARY_DIR}/cotan")
endif()
