// libjpeg-turbo with errors that leave by a jump.
#pragma once

// clang-format off
#include <cstdio>  // jpeglib.h needs FILE and size_t but does not include them
#include <jpeglib.h>
// clang-format on

#include "image/jump.h"

namespace paligemma {

// For a struct whose client_data is the Jump of the running step.
[[noreturn]] inline void leave_jpeg(j_common_ptr info, const char* message) {
  Jump& jump = *static_cast<Jump*>(info->client_data);
  std::snprintf(jump.message, sizeof jump.message, "%s", message);
  std::longjmp(jump.place, 1);
}

// The error_exit of libjpeg.
[[noreturn]] inline void on_jpeg_error(j_common_ptr info) {
  char message[JMSG_LENGTH_MAX];
  info->err->format_message(info, message);
  leave_jpeg(info, message);
}

}  // namespace paligemma
