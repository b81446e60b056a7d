# paligemma_embed(TARGET TABLE DIRECTORY dir FILES name...)
#
# Links files into TARGET as they are and defines, as base/embedded.h says,
#
#     std::span<const paligemma::EmbeddedFile> paligemma::embedded_TABLE();
#
# The names are relative to `dir`, and are those in the table. The assembler's .incbin takes the bytes: a generated
# array of some megabytes would cost the compiler minutes. A change of a file is a change of the target.
function(paligemma_embed target table)
  cmake_parse_arguments(PARSE_ARGV 2 EMBED "" "DIRECTORY" "FILES")
  set(base ${CMAKE_CURRENT_BINARY_DIR}/embedded_${table})
  set(paths ${EMBED_FILES})
  list(TRANSFORM paths PREPEND ${EMBED_DIRECTORY}/)

  set(assembly "    .section .rodata.embedded_${table},\"a\"\n")
  set(declarations "")
  set(entries "")
  set(index 0)
  foreach(name path IN ZIP_LISTS EMBED_FILES paths)
    set(symbol paligemma_embedded_${table}_${index})
    string(APPEND assembly "    .global ${symbol}, ${symbol}_end\n    .hidden ${symbol}, ${symbol}_end\n"
                           "    .balign 64\n${symbol}:\n    .incbin \"${path}\"\n${symbol}_end:\n    .byte 0\n")
    string(APPEND declarations "extern \"C\" const std::byte ${symbol}[], ${symbol}_end[];\n")
    string(APPEND entries "      {\"${name}\", {${symbol}, ${symbol}_end}},\n")
    math(EXPR index "${index} + 1")
  endforeach()
  string(APPEND assembly "    .section .note.GNU-stack,\"\",%progbits\n")

  file(CONFIGURE OUTPUT ${base}.S @ONLY CONTENT "@assembly@")
  file(CONFIGURE OUTPUT ${base}.cc @ONLY CONTENT [[#include "base/embedded.h"

@declarations@
namespace paligemma {

std::span<const EmbeddedFile> embedded_@table@() {
  static const EmbeddedFile files[] = {
@entries@  };
  return files;
}

}  // namespace paligemma
]])
  set_source_files_properties(${base}.S PROPERTIES OBJECT_DEPENDS "${paths}")
  target_sources(${target} PRIVATE ${base}.S ${base}.cc)
endfunction()
