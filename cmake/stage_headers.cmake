# cmake -DHEADERS=x/y.h;... -DFROM=csrc -DTO=include/cotan -P stage_headers.cmake
# Copies headers and puts "cotan/" before the path of each quoted include.
# api/cotan.h moves to the top: users write #include <cotan/cotan.h>.
file(REMOVE_RECURSE "${TO}")
foreach(header IN LISTS HEADERS)
  # Line by line would lose ";" and "[" of C++ to CMake's lists: one string.
  file(READ "${FROM}/${header}" text)
  string(REGEX REPLACE "#include \"([a-z_]+/)" "#include \"cotan/\\1" text
         "${text}")
  string(REPLACE "\"cotan/api/cotan.h\"" "\"cotan/cotan.h\"" text "${text}")
  if(header STREQUAL "api/cotan.h")
    set(header "cotan.h")
  endif()
  file(WRITE "${TO}/${header}" "${text}")
endforeach()
