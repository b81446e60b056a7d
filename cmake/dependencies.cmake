# The system libraries that the library is linked with. Read by the build, and installed: find_package(paligemma) reads
# it too. PALIGEMMA_DRAW says whether drawing is part of the library.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PICTURES REQUIRED IMPORTED_TARGET GLOBAL libpng libjpeg libwebp libwebpdemux)
find_package(GIF REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET GLOBAL libpcre2-8)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET GLOBAL libzip)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET GLOBAL libutf8proc)
if(PALIGEMMA_DRAW)
  pkg_check_modules(PANGOCAIRO REQUIRED IMPORTED_TARGET GLOBAL pangocairo cairo)
endif()
