# cotan_folder(NAME [options...]): the sources below the current folder become
# the OBJECT library NAME and part of libcotan. OBJECT, not STATIC: primitives
# register themselves in static initialisers, which a linker drops from an
# archive when nobody names them. A folder without sources is no target.
define_property(GLOBAL PROPERTY COTAN_FOLDERS
                BRIEF_DOCS "OBJECT libraries that make up libcotan")

function(cotan_folder name)
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "*.cpp")
  if(NOT sources)
    return()
  endif()
  add_library(${name} OBJECT ${sources})
  target_link_libraries(${name} PRIVATE cotan_options ${ARGN})
  set_property(GLOBAL APPEND PROPERTY COTAN_FOLDERS ${name})
endfunction()
